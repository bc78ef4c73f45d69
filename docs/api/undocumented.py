# SPDX-License-Identifier: MIT
"""Finds the public declarations of a header that stand there without a comment of their own."""

import pathlib
import re
import sys
from dataclasses import dataclass

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/lint"))
from cpp_blocks import OPEN, Code  # noqa: E402

COMMENT = re.compile(r" *//(?! ----)")
TRAILING = re.compile(r".*\S.* // ")
TYPES = ("class", "struct", "union")
BEFORE = ("inline", "constexpr", "constinit", "extern", "thread_local", "static", "virtual",
          "explicit", "typename", '""')
NO_DECLARATION = ("friend", "static_assert", "private", "protected", "public")


@dataclass
class Declaration:
    scope: str  # Its class, or "".
    name: str
    line: int  # Where it begins, from 0.
    tokens: list[str]
    documented: bool
    behind: str  # What a comment behind its last line says, of a class: };  // ECONNRESET


class Declarations:
    def __init__(self, text: str):
        self.lines = text.splitlines()
        self.code = Code(text)
        self.found: list[Declaration] = []
        self._scope(0, len(self.code.tokens), "", "")

    def _past_template(self, at: int) -> int:
        tokens = self.code.tokens
        if tokens[at] != "template":
            return at
        at, depth = at + 2, 1
        while depth > 0:
            depth += {"<": 1, ">": -1}.get(tokens[at], 0)
            at += 1
        if tokens[at] == "requires":
            at += 1
            if tokens[at] == "(":
                return self.code.partner[at] + 1
            while tokens[at + 1] == "::" or tokens[at] == "::":
                at += 1
            at += 1
            if tokens[at] == "<":
                depth = 0
                while True:
                    depth += {"<": 1, ">": -1}.get(tokens[at], 0)
                    at += 1
                    if depth == 0:
                        return at
        return at

    def _scope(self, at: int, end: int, path: str, class_name: str) -> None:
        tokens, partner = self.code.tokens, self.code.partner
        public = True
        while at < end:
            if tokens[at] in ("public", "private", "protected") and tokens[at + 1] == ":":
                public = tokens[at] != "private"
                at += 2
                continue
            if tokens[at] == ";":
                at += 1
                continue
            if tokens[at] == ",":  # A constructor that goes on behind a_{…}.
                while tokens[at] not in OPEN:
                    at += 1
                at = partner[at] + 1
                continue
            if tokens[at] == "{":  # The body of such a one.
                at = partner[at] + 1
                continue
            if tokens[at] == "namespace":
                opener = tokens.index("{", at)
                if tokens[opener - 1] not in ("detail", "namespace"):
                    self._scope(opener + 1, partner[opener], path, "")
                at = partner[opener] + 1
                continue
            at = self._declaration(at, end, path, class_name, public)

    def _declaration(self, first: int, end: int, path: str, class_name: str, public: bool) -> int:
        tokens, partner = self.code.tokens, self.code.partner
        at = self._past_template(first)
        while tokens[at] in BEFORE or tokens[at:at + 2] == ["[", "["]:
            at = partner[at] + 1 if tokens[at] == "[" else at + 1
        stop, is_function = at, False
        while stop < end and tokens[stop] not in ";{":
            if tokens[stop] in OPEN:
                before = tokens[at:stop]
                is_function |= tokens[stop] == "(" and ("=" not in before or "operator" in before)
                stop = partner[stop]
            stop += 1
        words = tokens[at:stop]
        last = stop
        if stop < end and tokens[stop] == "{":
            is_type = not is_function and words[0] in TYPES
            if is_type and public:
                names = self._names(words)
                inner = f"{path}::{names[0]}" if path else names[0]
                self._scope(stop + 1, partner[stop], inner, names[0])
            last = partner[stop]
            if not is_function:
                while tokens[last] != ";":
                    last = partner[last] + 1 if tokens[last] in OPEN else last + 1
        if words and words[0] not in NO_DECLARATION and public:
            self._note(words, first, at, last, path, is_function)
        return last + 1

    @staticmethod
    def _names(words: list[str]) -> list[str]:
        """class [[nodiscard]] X final: X comes first."""
        while "[" in words:
            words = words[words.index("]") + 2:]
        qualified = re.sub(r" ?:: ?", "::", " ".join(words)).split(" ")  # class Drain::Owning
        return [word for word in qualified if re.match(r"[A-Za-z_][\w:]*$", word)
                and word not in (*TYPES, "enum")]

    def _note(self, words, first, at, last, path, is_function) -> None:
        name = ""
        if "operator" in words:
            i = words.index("operator") + 1
            called = "".join(words[i:words.index("(", i + 2 if words[i] == "(" else i)])
            name = f"operator {called}" if called.isidentifier() else f"operator{called}"
        elif words[0] == "using":
            name = words[1] if "=" in words else ""
        elif words[0] in (*TYPES, "enum"):
            name = self._names(words)[0] if "{" in self.code.tokens[at:last] else ""
        elif is_function:
            i = words.index("(")
            if words[i - 2] == "::":
                return  # A definition outside of its class.
            name = ("~" if words[i - 2:i - 1] == ["~"] else "") + words[i - 1]
        else:
            i = next((i for i, word in enumerate(words) if word in ("=", "[")), len(words))
            name = words[i - 1]
        if not re.match(r"~?[A-Za-z_]", name) or name == "decltype" or name.endswith("_("):
            return
        line, end = self.code.lines[first] - 1, self.code.lines[last] - 1
        documented = bool(COMMENT.match(self.lines[line - 1]) or TRAILING.match(self.lines[line])
                          or TRAILING.match(self.lines[end]))
        behind = re.match(r"};  // (.+)", self.lines[end])
        self.found.append(
            Declaration(path, name, line, words, documented, behind[1] if behind else ""))
