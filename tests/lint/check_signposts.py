#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The BYTE and SEND signposts lead from function to function without a gap.

A signpost is a comment right above a function:

    // BYTE 3/7: what happens here. Next: Class::function (folder/file.cpp)

Each chain has every number once, and each Next: names the function that holds the next number.
"""

import re

from tree import LIBRARY, Tree, main

CHAINS = {"BYTE": 7, "SEND": 5}
POST = re.compile(r"\b(BYTE|SEND) (\d+)/(\d+):")
NEXT = re.compile(r"Next: ([\w:~]+) \(([\w/.]+)\)")


class Signpost:
    """One signpost: where it stands, whose function follows it, and where it points."""

    def __init__(self, tree: Tree, path: str, lines: list[str], at: int):
        self.path, self.line = path, at + 1
        chain, number, total = POST.search(lines[at]).groups()
        self.chain, self.number, self.total = chain, int(number), int(total)
        end = at
        while end < len(lines) and lines[end].lstrip().startswith("//"):
            end += 1
        comment = " ".join(line.strip().lstrip("/").strip() for line in lines[at:end])
        self.points_to = NEXT.search(comment)
        # The signature: up to the body or the semicolon, whichever comes first.
        signature = re.split(r"[{;]", "\n".join(lines[end:end + 6]))[0]
        name = re.search(r"([\w:~]+)\s*\(", signature)
        self.function = name[1] if name else ""
        if not name:
            tree.error(path, self.line, "no function follows this signpost")

    def is_at(self, function: str, path: str) -> bool:
        """Inside a class the function stands without its class."""
        return self.path == path and self.function in (function, function.split("::")[-1])


def collect(tree: Tree) -> list[Signpost]:
    posts = []
    for path in tree.files(LIBRARY, ".hpp", ".cpp"):
        lines = tree.text(path).splitlines()
        posts += [Signpost(tree, path, lines, at) for at, line in enumerate(lines)
                  if POST.search(line) and line.lstrip().startswith("//")]
    return posts


def check_chain(tree: Tree, chain: str, total: int, posts: list[Signpost]) -> None:
    by_number: dict[int, Signpost] = {}
    for post in posts:
        if post.total != total or not 1 <= post.number <= total:
            tree.error(post.path, post.line, f"{chain} {post.number}/{post.total}: not of {total}")
        if post.number in by_number:
            other = by_number[post.number]
            tree.error(post.path, post.line,
                       f"{chain} {post.number} stands at {other.path}:{other.line} already")
        by_number[post.number] = post
    for number in range(1, total + 1):
        if number not in by_number:
            tree.error("tests/lint/check_signposts.py", 1, f"{chain} {number}/{total} is missing")
            continue
        check_next(tree, by_number[number], by_number.get(number + 1), total)


def check_next(tree: Tree, post: Signpost, following: Signpost | None, total: int) -> None:
    if not post.points_to:
        if post.number < total:
            tree.error(post.path, post.line, "no Next: Class::function (file)")
        return
    function, path = post.points_to.groups()
    name = re.compile(rf"\b{re.escape(function.split('::')[-1])}\s*\(")
    if not tree.exists(path) or not name.search(tree.text(path)):
        tree.error(post.path, post.line, f"points to {function} ({path}), which is not there")
    elif following and not following.is_at(function, path):
        there = f"{following.function} ({following.path})"
        tree.error(post.path, post.line,
                   f"points to {function} ({path}), but the next number is at {there}")


def check(tree: Tree, paths: list[str]) -> None:
    posts = collect(tree)
    for chain, total in CHAINS.items():
        check_chain(tree, chain, total, [post for post in posts if post.chain == chain])


if __name__ == "__main__":
    main(check, __doc__)
