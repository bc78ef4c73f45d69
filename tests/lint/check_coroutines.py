#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Coroutine shapes that compile and go wrong. tests/probes shows each of them at work.

Looks at all code, and at the cpp blocks of the documentation. A line, or the lines of the function
around it, that carry `lint: shape on purpose` are left alone.
"""

import re

from cpp_blocks import Code, Function
from tree import CODE, Tree, main

MARKER = "lint: shape on purpose"


def check_condition(function: Function):
    """g++ 12 misplaces the frame of a coroutine that declares nothing and awaits in a condition."""
    if function.declares_something():
        return
    for at in function.awaits():
        if function.condition_around(at):
            yield at, ("co_await in a condition, and no variable in the body: g++ 12 drops the "
                       "body. Name the result first: `const auto x = co_await ...;`")


def full_expression(function: Function, at: int) -> tuple[int, int]:
    """From the token behind the last ; { or } to the next one outside of brackets."""
    tokens, partner = function.code.tokens, function.code.partner
    begin = at
    while begin - 1 > function.begin and tokens[begin - 1] not in ";{}":
        begin -= 1
        if tokens[begin] in ")]" and begin in partner:
            begin = partner[begin]
    end = at
    while end < function.end and tokens[end] != ";":
        end = partner[end] + 1 if tokens[end] in "([{" and end in partner else end + 1
        if end < function.end and tokens[end] in ")}":
            break
    return begin, end


def captures_by_value(tokens: list[str]) -> bool:
    """Of a capture list without its brackets. References and `this` are destroyed by nobody."""
    depth, entries = 0, [[]]
    for token in tokens:
        depth += (token in "([{") - (token in ")]}")
        if token == "," and depth == 0:
            entries.append([])
        else:
            entries[-1].append(token)
    return any(entry and entry[0] != "&" and entry != ["this"] for entry in entries)


def check_closures(function: Function, lambdas: list[Function]):
    """g++ 12 destroys the captures of a closure made inside a co_await expression twice."""
    code = function.code
    for at in function.awaits():
        begin, end = full_expression(function, at)
        for inner in lambdas:
            opener = code.introducer_of(inner.parameters)
            if opener is None or not begin <= opener < end or inner.begin < at < inner.end:
                continue
            if captures_by_value(code.tokens[opener + 1:code.partner[opener]]):
                yield opener, ("a closure that captures by value inside a co_await expression: "
                               "g++ 12 destroys it twice. Name it first")


def check_bindings(function: Function):
    """Newer g++ leak a structured binding of an awaited value."""
    tokens = function.code.tokens
    for at in function.awaits():
        words = tokens[max(function.begin, at - 40):at]
        if re.search(r"\bauto (?:& |&& )?\[ [\w ,]+ \] =(?: \()*$", " ".join(words)):
            yield at, "a structured binding of co_await: newer g++ leak it. Return a named struct"


def check_capturing_coroutine(function: Function):
    """The frame refers to the closure, which is often gone by the first suspension. Tests may."""
    opener = function.code.introducer_of(function.parameters)
    if opener is not None and function.is_coroutine:
        captured = function.code.tokens[opener + 1:function.code.partner[opener]]
        if captured:
            yield opener, "a lambda that captures must not be a coroutine: pass parameters"


def check_done(function: Function):
    """coroutine_handle::done() is true at co_return already, before the final suspension point."""
    tokens = function.code.tokens
    for i in function.own:
        if tokens[i] == "done" and tokens[i - 1] == "." and \
                re.fullmatch(r"(\w*_)?(handle|coroutine|frame|coro)_?", tokens[i - 2]):
            yield i, "done() of a handle does not mean suspended at the end: keep a flag"


def check_text(tree: Tree, path: str, text: str, first_line: int) -> None:
    code = Code(text)
    lines = text.splitlines()
    purposely = {number for number, line in enumerate(lines, 1) if MARKER in line}
    lambdas = [f for f in code.functions if code.introducer_of(f.parameters) is not None]
    for function in code.functions:
        begin, end = function.lines
        if purposely & set(range(begin - 1, end + 1)):
            continue
        found = [*check_condition(function), *check_closures(function, lambdas),
                 *check_bindings(function), *check_done(function)]
        if not path.startswith("tests/"):
            found += check_capturing_coroutine(function)
        for at, message in found:
            tree.error(path, first_line + code.lines[at] - 1, message)


def check(tree: Tree, paths: list[str]) -> None:
    for path in tree.code():
        check_text(tree, path, tree.text(path), 1)
    for path in tree.files(CODE, ".md") + [p for p in ("README.md", "CONTRIBUTING.md")
                                           if tree.exists(p)]:
        text = tree.text(path)
        for block in re.finditer(r"^```cpp\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            check_text(tree, path, block[1], text[:block.start(1)].count("\n") + 1)


if __name__ == "__main__":
    main(check, __doc__)
