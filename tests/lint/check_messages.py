#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every message text of tests/messages.tsv is in the library, and in a test that is there.

Columns, with tabs between them: `text` ({x} stands for a value), `section`, `type`, `test`, `note`.
The test is "path: name of the TEST_CASE or of the Python method", or "not built yet: what", or
"cannot occur: why". A text that has a test is looked for in the string literals of the library, by
the pieces between its {x}. Where weir's words differ on purpose, the note says them: "weir: text".
"""

import re

from tree import Tree, main

TABLE = "tests/messages.tsv"
COLUMNS = ["text", "section", "type", "test", "note"]
ELSEWHERE = ("not built yet: ", "cannot occur: ")
COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
ADJACENT = re.compile(r'(?<!\\)"\s*\n\s*"')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
CASE = re.compile(r'\b(?:TEST_CASE|TEST_CASE_FIXTURE)\(\s*(?:[\w:]+,\s*)?"((?:[^"\\\n]|\\.)*)"')
METHOD = re.compile(r"^\s+(?:async )?def (test\w+)\(", re.MULTILINE)
WEIRS = re.compile(r"\bweir: (.+)")
VALUE = re.compile(r"\{[^{}]*\}")


def joined(text: str) -> str:
    """Without comments, and each string literal in one piece."""
    return ADJACENT.sub("", COMMENT.sub("", text))


def unescaped(literal: str) -> str:
    return re.sub(r"\\(.)", r"\1", literal)


def library_literals(tree: Tree) -> list[str]:
    found = []
    for path in tree.library():
        found += [unescaped(text) for text in LITERAL.findall(joined(tree.text(path)))]
    return found


def cases(tree: Tree, path: str) -> set[str]:
    if path.endswith(".py"):
        return set(METHOD.findall(tree.text(path)))
    return {unescaped(name) for name in CASE.findall(joined(tree.text(path)))}


def check_test(tree: Tree, line: int, test: str) -> None:
    path, separator, name = test.partition(": ")
    if not separator or not path.startswith("tests/"):
        tree.error(TABLE, line, f'"{test}" is neither a test nor "not built yet: …"')
    elif not tree.exists(path):
        tree.error(TABLE, line, f"there is no {path}")
    elif name not in cases(tree, path):
        tree.error(TABLE, line, f'{path} has no test called "{name}"')


def check_text(tree: Tree, line: int, text: str, literals: list[str]) -> None:
    for piece in VALUE.split(text):
        if len(piece.strip()) > 1 and not any(piece in literal for literal in literals):
            tree.error(TABLE, line, f'no string of the library says "{piece}"')


def check_row(tree: Tree, line: int, fields: list[str], literals: list[str]) -> None:
    if len(fields) != len(COLUMNS):
        tree.error(TABLE, line, f"{len(fields)} columns, {len(COLUMNS)} expected")
        return
    row = dict(zip(COLUMNS, fields))
    for column in COLUMNS[:-1]:
        if not row[column].strip():
            tree.error(TABLE, line, f"no {column}")
            return
    if row["test"].startswith(ELSEWHERE):
        return
    check_test(tree, line, row["test"])
    weirs = WEIRS.search(row["note"])
    check_text(tree, line, weirs[1] if weirs else row["text"], literals)


def check(tree: Tree, paths: list[str]) -> None:
    if not tree.exists(TABLE):
        tree.error(TABLE, 1, "there is no such file")
        return
    (number, header), *rows = tree.lines(TABLE) or [(1, "")]
    if header.split("\t") != COLUMNS:
        tree.error(TABLE, number, f"the first line names the columns: {', '.join(COLUMNS)}")
        return
    literals = library_literals(tree)
    for line, row in rows:
        check_row(tree, line, row.split("\t"), literals)


if __name__ == "__main__":
    main(check, __doc__)
