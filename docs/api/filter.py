# SPDX-License-Identifier: MIT
"""What Doxygen reads instead of a header of weir's: the same contracts, in Doxygen's marks.

Headers say // behind a member, and nothing where the name says all; Doxygen hears /// only, and
wants a word on everything: words.txt has those. It takes <, @ and \\ for marks of its own, and
would run the fields of a contract (Errors, Threads, …) together. No line is added or taken away,
so that its warnings name the right ones.
"""

import pathlib
import re

from undocumented import Declaration, Declarations

FIELD = re.compile(r"(Shape|Units|Errors|Threads|Lifetime|Cost|Source|Stopping|Returns) +(?=\S)")
COMMENT = re.compile(r"(?P<indent> *)//(?P<doc>/?)(?: (?P<text>.*))?$")
TRAILING = re.compile(r"(?P<code>.*\S) +// (?P<text>.+)$")
WORDS = pathlib.Path(__file__).with_name("words.txt")


def words() -> dict[str, str]:
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def escaped(text: str) -> str:
    """Outside of `code` and of "texts", which Doxygen takes as they are."""
    parts = re.split(r"""(`[^`]*`|"[^"]*")""", text)
    parts[::2] = [re.sub(r"([\\<>@#&%])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def contract(text: str, inside: str) -> tuple[str, str]:
    """A line of one that stands `inside` a field; and which field the next line stands in."""
    field = FIELD.match(text)
    if field:
        return f"- **{field[1]}** &ensp; {escaped(text[field.end():])}", field[1]
    if inside == "Shape" and text:  # Lines of code, most of them.
        return f"{' ' * 10}<br>{escaped(text.strip())}", inside
    return escaped(text), inside if text else ""


def of_the_compiler(declaration: Declaration) -> str:
    """What there is to say of copies, moves and ends, which are what they always are."""
    name, tokens = declaration.name, " ".join(declaration.tokens)
    own = declaration.scope.rsplit("::", 1)[-1]
    if "= delete" in tokens:
        return "Deleted."
    if name.startswith("~"):
        return "Its end."
    if name in (own, "operator=") and f"{own} &&" in tokens:
        return "Moves."
    if name in (own, "operator=") and f"const {own} &" in tokens:
        return "Copies."
    if name == own and ("= default" in tokens or tokens.startswith(f"{own} ( )")):
        return "Empty, or as its members begin."
    if name == own and "detail ::" in tokens:
        return "For weir's own layers."
    return ""


class Speaker:
    """Has a word for each declaration without one."""

    def __init__(self):
        self.words = words()
        self.used: set[str] = set()
        self.told: set[tuple[str, str]] = set()

    def text(self, declaration: Declaration) -> str:
        overload = (declaration.scope, declaration.name)
        said = overload in self.told
        if declaration.documented:
            self.told.add(overload)
            return escaped(declaration.behind)
        overrides = "override" in declaration.tokens  # It does what the base says.
        for key in (f"{declaration.scope}::{declaration.name}", declaration.name):
            if key in self.words and not said and (not overrides or "::" in key):
                self.used.add(key)
                self.told.add(overload)
                return escaped(self.words[key])
        if overrides:
            return ""
        return of_the_compiler(declaration) or \
            ("As above, with other arguments." if said else "")


def filtered(text: str, speaker: Speaker) -> list[str]:
    lines = text.splitlines()
    result = list(lines)
    field = ""
    column = None  # Where a comment behind code began: it goes on in the next line there.
    for i, line in enumerate(lines):
        comment, trailing = COMMENT.match(line), TRAILING.match(line)
        if comment and column == len(comment["indent"]):
            result[i] = f"{comment['indent']}///< {escaped(comment['text'] or '')}"
            continue
        column = None
        if comment and not (comment["text"] or "").startswith("----") and i > 1:
            said, field = contract(comment["text"] or "", field)
            result[i] = f"{comment['indent']}/// {said}".rstrip()
            continue
        field = ""
        if trailing and re.search(r"[;,}\w]$", trailing["code"]) and \
                not re.match(r"\s*(#|}|namespace)", line):
            result[i] = f"{trailing['code']}  ///< {escaped(trailing['text'])}"
            column = line.index("// ", len(trailing["code"]))
    for declaration in Declarations(text).found:
        said = speaker.text(declaration)
        if said:
            result[declaration.line] = f"/** {said} */ {result[declaration.line]}"
    return result
