# SPDX-License-Identifier: MIT
"""The source tree as the checks see it: which files there are, and how a check reports."""

import argparse
import pathlib
import sys

LIBRARY = ("reactor", "net", "streams")
CODE = LIBRARY + ("tests", "docs", "bench")
SKIPPED = {".git", "build", "__pycache__"}


class Tree:
    """Files below a root; paths are given out relative to it, with forward slashes."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.errors: list[str] = []

    def files(self, folders, *suffixes: str) -> list[str]:
        found = []
        for folder in folders:
            for path in sorted((self.root / folder).rglob("*")):
                relative = path.relative_to(self.root)
                if path.is_file() and path.suffix in suffixes and not SKIPPED & set(relative.parts):
                    found.append(relative.as_posix())
        return found

    def library(self) -> list[str]:
        return self.files(LIBRARY, ".hpp", ".cpp")

    def code(self) -> list[str]:
        return self.files(CODE, ".hpp", ".cpp")

    def exists(self, path: str) -> bool:
        return (self.root / path).is_file()

    def text(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def lines(self, path: str) -> list[tuple[int, str]]:
        return list(enumerate(self.text(path).splitlines(), 1))

    def error(self, path: str, line: int, message: str) -> None:
        self.errors.append(f"{path}:{line}: {message}")


def main(check, description: str) -> None:
    """Runs `check(tree, paths)` from the command line; exits with 1 if it reported an error."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("paths", nargs="*", help="only these files, relative to the root")
    arguments = parser.parse_args()
    tree = Tree(arguments.root.resolve())
    check(tree, arguments.paths)
    for error in tree.errors:
        print(error)
    sys.exit(1 if tree.errors else 0)
