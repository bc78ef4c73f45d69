# SPDX-License-Identifier: MIT
"""Just enough C++ to find functions, their blocks and their statements. No types, no macros."""

import bisect
import re

TOKEN = re.compile(r'''
    (?P<skip>\s+ | //[^\n]* | /\*.*?\*/ | ^[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<raw>(?:u8|[uUL])?R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)")
  | (?P<text>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*" | (?:u8|[uUL])?'(?:\\.|[^'\\\n])+')
  | (?P<number>\.?\d(?:'?[\w.])*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<mark2>::|->|&&|\|\||==|!=|<=|>=|\.\.\.|.)
''', re.VERBOSE | re.DOTALL | re.MULTILINE)
OPEN, CLOSE = "([{", ")]}"
CONDITIONALS = ("if", "while", "switch", "for")
# What may stand between a parameter list and a body, besides a trailing return type.
SPECIFIERS = {"const", "noexcept", "override", "final", "mutable", "&", "&&", "constexpr", "static",
              "volatile"}
# Statements that begin with a word and a name and declare nothing.
NO_TYPE = {"return", "co_return", "co_await", "co_yield", "throw", "delete", "goto", "new", "else",
           "do", "if", "while", "for", "switch", "case", "default", "break", "continue", "using",
           "typedef", "template", "public", "private", "protected", "static_assert", "namespace",
           "struct", "class", "enum", "union", "try", "catch", "not", "sizeof", "operator",
           "extern", "friend"}


class Code:
    """The tokens of a piece of C++, with their lines and matching brackets."""

    def __init__(self, text: str):
        starts = [m.start() for m in re.finditer("^", text, re.MULTILINE)]
        self.tokens: list[str] = []
        self.lines: list[int] = []
        for match in TOKEN.finditer(text):
            if match["skip"] is None:
                plain = match["raw"] is None and match["text"] is None
                self.tokens.append(match[0] if plain else '""')
                self.lines.append(bisect.bisect_right(starts, match.start()))
        self.partner = self._match_brackets()
        self.functions = self._find_functions()

    def _match_brackets(self) -> dict[int, int]:
        partner, stack = {}, []
        for i, token in enumerate(self.tokens):
            if token in OPEN:
                stack.append(i)
            elif token in CLOSE and stack:
                opener = stack.pop()
                partner[opener], partner[i] = i, opener
        return partner

    def parameters_before(self, body: int) -> int | None:
        """The `)` or `]` that a function's or lambda's `{` follows; None for any other brace."""
        i, arrow, words = body - 1, False, []
        while i >= 0:
            token = self.tokens[i]
            if token == ")" and i in self.partner:
                before = self.tokens[self.partner[i] - 1]
                if before in ("noexcept", "requires", "decltype", "alignas"):
                    i = self.partner[i] - 1
                    words.append("noexcept")
                    continue
                break
            if token == "]":
                break
            if token == "->":
                arrow, words = True, []
            elif not (re.match(r"[\w:<>,*&]", token) or token == "..."):
                return None
            else:
                words.append(token)
            i -= 1
        return i if i >= 0 and (arrow or "requires" in words or set(words) <= SPECIFIERS) else None

    def _find_functions(self) -> list["Function"]:
        """Functions and lambdas, each with the tokens that are its own: those of no inner one."""
        bodies = []
        for i, token in enumerate(self.tokens):
            if token != "{" or i not in self.partner:
                continue
            end = self.parameters_before(i)
            if end is None:
                continue
            opener = self.partner.get(end)
            before = self.tokens[opener - 1] if opener else ""
            constexpr_if = before == "constexpr" and self.tokens[opener - 2] == "if"
            if self.tokens[end] == "]" or not (before in CONDITIONALS + ("catch",) or constexpr_if):
                bodies.append((i, self.partner[i], end))
        return [Function(self, *body, [b for b in bodies if body[0] < b[0] < body[1]])
                for body in bodies]

    def introducer_of(self, end_of_parameters: int) -> int | None:
        """The `[` of a lambda whose parameters, or whose `]`, end here."""
        i = end_of_parameters
        if self.tokens[i] == ")":
            i = self.partner[i] - 1
            if self.tokens[i] == ">":  # [](auto x)<...> does not exist; []<class T>(T x) does.
                depth = 0
                while i >= 0:
                    depth += {">": 1, "<": -1}.get(self.tokens[i], 0)
                    i -= 1
                    if depth == 0:
                        break
        return self.partner.get(i) if i >= 0 and self.tokens[i] == "]" else None


class Function:
    """A body: tokens begin+1 to end-1, without the bodies of lambdas inside it."""

    def __init__(self, code: Code, begin: int, end: int, parameters: int, inner):
        self.code, self.begin, self.end, self.parameters = code, begin, end, parameters
        hidden = set()
        for other_begin, other_end, _ in inner:
            hidden.update(range(other_begin + 1, other_end))
        self.own = [i for i in range(begin + 1, end) if i not in hidden]

    @property
    def is_coroutine(self) -> bool:
        return any(self.code.tokens[i] in ("co_await", "co_return", "co_yield") for i in self.own)

    @property
    def lines(self) -> tuple[int, int]:
        """From the line of the parameter list to the closing brace."""
        opener = self.code.partner.get(self.parameters, self.parameters)
        return self.code.lines[opener], self.code.lines[self.end]

    def awaits(self) -> list[int]:
        return [i for i in self.own if self.code.tokens[i] == "co_await"]

    def condition_around(self, at: int) -> tuple[int, int] | None:
        """The condition of an if, while, switch or for that token `at` stands in: (from, to)."""
        tokens, partner = self.code.tokens, self.code.partner
        for opener in self.own:
            if tokens[opener] != "(" or not opener < at < partner.get(opener, -1):
                continue
            before = tokens[opener - 1]
            keyword = tokens[opener - 2] if before == "constexpr" else before
            if keyword not in CONDITIONALS:
                continue
            begin, end = opener + 1, partner[opener]
            semicolons = [i for i in range(begin, end) if tokens[i] == ";" and i in set(self.own)]
            if keyword == "for":
                if len(semicolons) < 2 or not semicolons[0] < at < semicolons[1]:
                    continue  # A range, a first or a last part: measured, and harmless.
                begin, end = semicolons[0] + 1, semicolons[1]
            elif semicolons:
                if at < semicolons[0]:
                    continue
                begin = semicolons[0] + 1
            return begin, end
        return None

    def declares_something(self) -> bool:
        """A variable at any depth, or a try block. Types and aliases are not counted."""
        tokens = self.code.tokens
        at_start = True
        for position, i in enumerate(self.own):
            token = tokens[i]
            if token == "try":
                return True
            if at_start and self._declares(self.own[position:position + 80]):
                return True
            opens = token == "(" and (tokens[i - 1] in CONDITIONALS)
            at_start = token in ";{}" or opens or (token == ":" and tokens[i - 1] != ":")
        return False

    def _declares(self, indices: list[int]) -> bool:
        """Whether these tokens begin with `type name` and one of = ; { ( [ : ,"""
        words = [self.code.tokens[i] for i in indices]
        while words[:2] == ["[", "["]:
            words = words[words.index("]") + 2:]
        while words and words[0] in ("const", "constexpr", "static", "thread_local", "volatile",
                                     "unsigned", "signed", "typename", "constinit"):
            named = words[0] in ("unsigned", "signed")
            words = words[1:]
            if named and words and re.match(r"[A-Za-z_]", words[0]) and len(words) > 1 \
                    and words[1] in "={;(,:":
                return True
        if not words or not re.match(r"[A-Za-z_]", words[0]) or words[0] in NO_TYPE:
            return False
        i = 1
        while i < len(words) and words[i] == "::":
            i += 2
        if i < len(words) and words[i] == "<":
            depth = 0
            while i < len(words):
                depth += {"<": 1, ">": -1}.get(words[i], 0)
                i += 1
                if depth == 0:
                    break
            while i < len(words) and words[i] == "::":
                i += 2
        while i < len(words) and words[i] in ("const", "*", "&", "&&", "long", "int", "double",
                                              "char", "short"):
            i += 1
        if i < len(words) and words[0] == "auto" and words[i] == "[":
            return True
        is_name = i < len(words) and re.match(r"[A-Za-z_]", words[i]) and words[i] not in NO_TYPE
        follows = words[i + 1] if i + 1 < len(words) else ""
        return bool(is_name) and follows in ("=", ";", "{", "(", "[", ":", ",")
