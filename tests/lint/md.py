# SPDX-License-Identifier: MIT
"""Just enough Markdown for the checks: fences, links and headings, as the forge reads them."""

import dataclasses
import re
from collections.abc import Iterator

FENCE = re.compile(r"^( *)(`{3,}|~{3,})\s*(\S*)\s*$")
DIRECTIVE = re.compile(r"^ *<!-- (code|run): (\S+) -->\s*$")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$")
CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
INLINE_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s+\".*\")?\s*$")
ATTRIBUTE = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=\"([^\"]+)\"")
ANCHOR = re.compile(r"<a\b[^>]*?\b(?:id|name)=\"([^\"]+)\"")


@dataclasses.dataclass
class Fence:
    """A fenced block. Lines are counted from 1; `line` is the one with the opening fence."""
    line: int
    indent: str
    language: str
    body: list[str]
    kind: str = ""    # code or run: what the comment above it says
    target: str = ""  # and of what

    @property
    def text(self) -> str:
        return "\n".join(self.body)


def fences(text: str) -> list[Fence]:
    lines, found, at = text.splitlines(), [], 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        if not opening:
            at += 1
            continue
        indent, marks, language = opening.groups()
        end = at + 1
        closing = re.compile(rf" *{marks[0]}{{{len(marks)},}}\s*")
        while end < len(lines) and not closing.fullmatch(lines[end]):
            end += 1
        body = [line.removeprefix(indent) for line in lines[at + 1:end]]
        directive = DIRECTIVE.match(lines[at - 1]) if at else None
        kind, target = directive.groups() if directive else ("", "")
        found.append(Fence(at + 1, indent, language, body, kind, target))
        at = end + 1
    return found


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines outside fences and comments, without what stands in code spans."""
    hidden = set()
    for fence in fences(text):
        hidden.update(range(fence.line, fence.line + len(fence.body) + 2))
    comment = False
    for number, line in enumerate(text.splitlines(), 1):
        if number in hidden:
            continue
        comment = comment or line.lstrip().startswith("<!--")
        if not comment:
            yield number, CODE_SPAN.sub("``", line)
        comment = comment and "-->" not in line


def links(text: str) -> list[tuple[int, str]]:
    found = []
    for number, line in prose(text):
        for pattern in (INLINE_LINK, REFERENCE, ATTRIBUTE):
            found += [(number, target) for target in pattern.findall(line)]
    return found


def slug(heading: str) -> str:
    """The anchor that the forge gives a heading."""
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    plain = re.sub(r"<[^>]+>", "", plain).replace("`", "").replace("*", "").lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def headings(text: str) -> list[tuple[int, str]]:
    inside = {number for fence in fences(text)
              for number in range(fence.line, fence.line + len(fence.body) + 2)}
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        heading = HEADING.match(line)
        if heading and number not in inside:
            found.append((number, heading[1]))
    return found


def anchors(text: str) -> set[str]:
    """All that a `#…` may name in a page."""
    found = set(ANCHOR.findall(text))
    times: dict[str, int] = {}
    for _, heading in headings(text):
        name = slug(heading)
        seen = times[name] = times.get(name, -1) + 1
        found.add(name if seen == 0 else f"{name}-{seen}")
    return found
