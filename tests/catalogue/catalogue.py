# SPDX-License-Identifier: MIT
"""Reads docs/bug_catalogue.md, and finds the tests that name a bug."""

import functools
import pathlib
import re
import sys
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

import asyncio_map  # noqa: E402

DOC = ROOT / "docs" / "bug_catalogue.md"
NAMED = re.compile(r"(B\d\d(?:, B\d\d)*): ")  # The beginning of the name of such a test.
PLACE = re.compile(r"`(tests/\S+)`: (.+)")


class Case(NamedTuple):
    bugs: tuple[str, ...]
    source: str  # tests/net/test_connect.cpp
    name: str  # all of it

    @property
    def program(self) -> str:
        return "test_" + pathlib.PurePath(self.source).parts[1]


class Row(NamedTuple):
    bug: str
    what: str
    seen: str
    answer: str
    tests: list[tuple[str, str]]  # file and name
    reason: str  # why there is no test


@functools.cache
def cases() -> list[Case]:
    """The tests that name bugs, in order."""
    found = []
    for path in sorted(ROOT.glob("tests/*/test_*.cpp")):
        for name in sorted(asyncio_map.cases(path)):
            if bugs := NAMED.match(name):
                source = path.relative_to(ROOT).as_posix()
                found.append(Case(tuple(bugs[1].split(", ")), source, name))
    return found


@functools.cache
def rows() -> list[Row]:
    found = []
    for line in DOC.read_text(encoding="utf-8").splitlines():
        if not re.match(r"\| B\d", line):
            continue
        bug, what, seen, answer, tests = (cell.strip() for cell in line.strip("|").split(" | "))
        places = [PLACE.fullmatch(test) for test in tests.split("<br>")]
        reason = tests if not all(places) else ""
        found.append(Row(bug, what, seen, answer,
                         [(place[1], place[2]) for place in places if place], reason))
    return found
