#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every link of a Markdown file to another file, or to a heading, leads there: as on the forge.

What ./dev docs makes of them is checked there, in HTML.
"""

import os
import posixpath
import re
import urllib.parse

import md
from tree import CODE, Tree, main

ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def is_there(tree: Tree, path: str) -> bool:
    """A file or a folder, spelled as it is: there are systems that ignore upper and lower case."""
    folder = tree.root
    for part in path.split("/"):
        if part == ".":
            continue
        if not folder.is_dir() or part not in os.listdir(folder):
            return False
        folder = folder / part
    return True


def check_link(tree: Tree, page: str, line: int, link: str) -> None:
    path, _, anchor = urllib.parse.unquote(link).partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
    if target.startswith("..") or path.startswith("/"):
        tree.error(page, line, f"{link} leads out of the repository")
    elif not is_there(tree, target):
        tree.error(page, line, f"{link}: there is no {target}")
    elif anchor and not target.endswith(".md"):
        tree.error(page, line, f"{link}: only Markdown has headings to link to")
    elif anchor and anchor not in md.anchors(tree.text(target)):
        tree.error(page, line, f"{link}: {target} has no heading for #{anchor}")


def pages(tree: Tree) -> list[str]:
    top = sorted(path.name for path in tree.root.glob("*.md"))
    return top + tree.files(CODE, ".md")


def check(tree: Tree, paths: list[str]) -> None:
    for page in paths or pages(tree):
        for line, link in md.links(tree.text(page)):
            if not ELSEWHERE.match(link):
                check_link(tree, page, line, link)


if __name__ == "__main__":
    main(check, __doc__)
