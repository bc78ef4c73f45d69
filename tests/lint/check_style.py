#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""First lines, widths, lengths, and what must not be left behind."""

import re

from tree import CODE, LIBRARY, Tree, main

SPDX = "SPDX-License-Identifier: MIT"
AUDIENCE = re.compile(r"// (Public\.|Internal: used by .+)")
COLUMNS = 100
LINES_OF = {".hpp": 300, ".cpp": 450}  # In the library and the examples.


def check_first_lines(tree: Tree, path: str) -> None:
    lines = tree.text(path).splitlines()
    if path.endswith(".hpp"):
        if not lines or not AUDIENCE.match(lines[0]):
            tree.error(path, 1, 'begin with "// Public." or "// Internal: used by X, Y."')
        if "#pragma once" not in lines:
            tree.error(path, 1, "no #pragma once")
    if SPDX not in "\n".join(lines[:3]):
        tree.error(path, 1, f"no {SPDX} in the first three lines")


def check_text(tree: Tree, path: str) -> None:
    for number, line in tree.lines(path):
        if len(line) > COLUMNS:
            tree.error(path, number, f"{len(line)} columns, {COLUMNS} allowed")
        if line != line.rstrip() or "\t" in line:
            tree.error(path, number, "a tab, or blanks at the end of the line")
        if re.search(r"\bTODO\b(?! ?\(#\d+\))", line) or re.search(r"\b(FIXME|XXX|HACK)\b", line):
            tree.error(path, number, "a leftover: TODO (#issue) is the only form allowed")
        if re.search(r"\bdoctest::(skip|may_fail|should_fail|expected_failures)\b", line):
            tree.error(path, number, "a silenced test tests nothing")
        if path.endswith(".hpp") and re.search(r"\busing namespace\b", line):
            tree.error(path, number, "no using namespace in a header")
    text = tree.text(path)
    if text and not text.endswith("\n"):
        tree.error(path, text.count("\n") + 1, "no newline at the end")


def check_length(tree: Tree, path: str) -> None:
    allowed = LINES_OF["." + path.rsplit(".", 1)[1]]
    lines = tree.text(path).count("\n")
    if lines > allowed:
        tree.error(path, allowed + 1, f"{lines} lines, {allowed} allowed: is it still one thing?")


def check(tree: Tree, paths: list[str]) -> None:
    this_file = "tests/lint/check_style.py"
    for path in tree.code() + tree.files(CODE, ".py", ".build") + ["meson.build", "dev"]:
        if not tree.exists(path):
            continue
        check_first_lines(tree, path)
        if path != this_file:
            check_text(tree, path)
    for path in tree.files(LIBRARY + ("docs",), ".hpp", ".cpp"):
        check_length(tree, path)


if __name__ == "__main__":
    main(check, __doc__)
