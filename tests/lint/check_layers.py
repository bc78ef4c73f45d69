#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A file of the library includes only what stands above it in layers.txt."""

import re

from tree import Tree, main

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def rank_of(path: str, ranks: dict[str, int]) -> int | None:
    """Of the file itself if it is named, else of its stem."""
    return ranks.get(path, ranks.get(path.rsplit(".", 1)[0]))


def read_ranks(tree: Tree) -> dict[str, int]:
    """The lines of layers.txt: stems (both files of it), or single files."""
    ranks: dict[str, int] = {}
    for number, line in tree.lines("tests/lint/layers.txt"):
        stem = line.split("#")[0].strip()
        if not stem:
            continue
        if stem in ranks:
            tree.error("tests/lint/layers.txt", number, f"{stem} stands here twice")
        if not any(tree.exists(stem + suffix) for suffix in ("", ".hpp", ".cpp")):
            tree.error("tests/lint/layers.txt", number, f"{stem} has no file")
        ranks[stem] = number
    return ranks


def check(tree: Tree, paths: list[str]) -> None:
    ranks = read_ranks(tree)
    for path in tree.library():
        here = rank_of(path, ranks)
        if here is None:
            tree.error(path, 1, "add it to tests/lint/layers.txt")
            continue
        for number, line in tree.lines(path):
            include = INCLUDE.match(line)
            if not include:
                continue
            quote, name = include.groups()
            if quote == '"':
                tree.error(path, number, f'write <weir/...>, not "{name}"')
            elif name.startswith("weir/"):
                check_order(tree, path, number, name.removeprefix("weir/"), ranks)
            elif name.split("/")[0] in ("tests", "bench", "docs"):
                tree.error(path, number, f"{name} builds on the library, not the other way round")


def check_order(tree: Tree, path: str, line: int, included: str, ranks: dict[str, int]) -> None:
    there = rank_of(included, ranks)
    if there is None:
        tree.error(path, line, f"{included} is not in tests/lint/layers.txt")
    elif there > rank_of(path, ranks):
        tree.error(path, line, f"{included} builds on {path}, not the other way round")


if __name__ == "__main__":
    main(check, __doc__)
