#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""All sources can be put into one file (./dev amalgamate), or be built with Meson's --unity=on.

So what a source keeps to itself (in unnamed namespaces, as static, as an alias) has a name that
no other source uses for its own, and no header uses. Two functions of one name with different
parameters would compile, and one day the wrong one would be called.
"""

import re
from collections import defaultdict

from cpp_blocks import CLOSE, OPEN, Code
from tree import LIBRARY, Tree, main

# Never in one program: each is for a system, a processor or a sanitizer of its own.
APART = [{"poller_epoll", "poller_kqueue"}, {"wakeup_eventfd", "wakeup_pipe"},
         {"pool_free_lists", "pool_malloc"}, {"poison_asan", "poison_none"}]
OURS = ("", "weir", "weir::detail")  # Whatever is in other namespaces is in nobody's way.
TYPES = ("class", "struct", "enum", "union", "concept")
BEFORE = ("inline", "constexpr", "constinit", "extern", "thread_local", '""')


class Names:
    """What a file declares at namespace scope: name -> line. `own`: no other file may see it."""

    def __init__(self, text: str, is_source: bool):
        self.code = Code(text)
        self.is_source = is_source
        self.own: dict[str, int] = {}
        self.shared: dict[str, int] = {}
        self._scope(0, len(self.code.tokens), "", False)

    def _scope(self, at: int, end: int, path: str, own: bool) -> None:
        while at < end:
            at = self._declaration(at, end, path, own)

    def _past_prefixes(self, at: int) -> int:
        tokens = self.code.tokens
        while True:
            if tokens[at:at + 2] == ["[", "["]:
                at = self.code.partner[at] + 1
            elif tokens[at] == "template":
                at, depth = at + 2, 1
                while depth > 0:
                    depth += {"<": 1, ">": -1}.get(tokens[at], 0)
                    at += 1
            elif tokens[at] in BEFORE:
                at += 1
            else:
                return at

    def _declaration(self, at: int, end: int, path: str, own: bool) -> int:
        """Notes the one that begins here, and returns where the next one does."""
        tokens, partner = self.code.tokens, self.code.partner
        if tokens[at] in ";}":
            return at + 1
        at = self._past_prefixes(at)
        if tokens[at] == "{":  # extern "C" { … }; or a body behind a constructor's last b_{…}
            if tokens[at - 1] == '""':
                self._scope(at + 1, partner[at], path, own)
            return partner[at] + 1
        if tokens[at] == "namespace" and tokens[at + 2] != "=":
            opener = tokens.index("{", at)
            name = "".join(word for word in tokens[at + 1:opener] if word.islower() or word == "::")
            inner = "::".join(part for part in (path, name) if part)
            self._scope(opener + 1, partner[opener], inner, own or opener == at + 1)
            return partner[opener] + 1
        if tokens[at] == "static":
            own, at = True, self._past_prefixes(at + 1)

        stop, is_function = at, False
        while stop < end and tokens[stop] not in ";{":
            if tokens[stop] in "([":
                before = tokens[at:stop]
                is_function |= tokens[stop] == "(" and ("=" not in before or "operator" in before)
                stop = partner[stop]
            stop += 1
        if path in OURS:
            self._note(tokens[at:stop], at, own)
        if stop < end and tokens[stop] == "{" and not is_function:
            while tokens[stop] != ";":
                stop = partner[stop] + 1 if tokens[stop] in OPEN else stop + 1
        elif stop < end and tokens[stop] == "{":
            stop = partner[stop]
        return stop + 1

    def _note(self, words: list[str], at: int, own: bool) -> None:
        if words[:1] == ["using"]:
            name = self._name_of_using(words)
            own = own or self.is_source
        elif words and words[0] in TYPES and "(" not in words:
            name = self._name_of_type(words[1:])
        else:
            name = self._name_of_function_or_variable(words)
        if re.match(r"[A-Za-z_]\w*$", name) and name != "static_assert":
            (self.own if own else self.shared).setdefault(name, self.code.lines[at])

    @staticmethod
    def _name_of_using(words: list[str]) -> str:
        """using detail::X declares nothing new; using enum X declares all of them."""
        if words[1] == "enum":
            return words[-1]
        return words[1] if "=" in words else ""

    @staticmethod
    def _name_of_type(words: list[str]) -> str:
        words = [word for word in words if word not in ("class", "struct")]
        while words[:2] == ["[", "["]:
            words = words[words.index("]") + 2:]
        outside = words[1:2] in (["<"], ["::"])  # A specialisation, or somebody's member.
        return "" if outside or not words else words[0]

    @staticmethod
    def _name_of_function_or_variable(words: list[str]) -> str:
        end = next((i for i, word in enumerate(words) if i > 0 and word in ("(", "=", "[")
                    and words[i - 1] not in ("noexcept", "alignas", "decltype", "[", "]")),
                   len(words))
        if end < 2 or words[end - 2] == "::" or "operator" in words[:end] or words[0] in CLOSE:
            return ""
        return words[end - 1]


def stem_of(path: str) -> str:
    return path.rsplit("/", 1)[1].split(".")[0]


def in_the_way(source: str, other: str) -> bool:
    """A function may have the name of one in the source's own header: they are overloads."""
    one, two = stem_of(source), stem_of(other)
    own_header = other.endswith(".hpp") and one.startswith(two)
    return {one, two} not in APART and not own_header


def check(tree: Tree, paths: list[str]) -> None:
    users = defaultdict(list)
    for header in tree.files(LIBRARY, ".hpp"):
        for name in Names(tree.text(header), is_source=False).shared:
            users[name].append(header)
    for source in tree.files(LIBRARY, ".cpp"):
        for name, line in Names(tree.text(source), is_source=True).own.items():
            other = next((path for path in users[name] if in_the_way(source, path)), None)
            if other:
                tree.error(source, line, f"{name} is also in {other}, and all may be one file")
            users[name].append(source)


if __name__ == "__main__":
    main(check, __doc__)
