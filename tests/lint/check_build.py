#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every source is built, every public header is installed with all that it includes.

What an installed header declares, a shared library shows (reactor/export.hpp): it says so at each
of its namespaces, and nobody else does."""

import posixpath
import re

from tree import LIBRARY, Tree, main

TUTORIAL = "docs/tutorial/"  # Its own tests build all that is there.


def listed(tree: Tree, build_file: str) -> set[str]:
    """The file names in a meson.build, as paths from the root."""
    folder = build_file.rpartition("/")[0]
    names = re.findall(r"'([^']+\.[hc]pp)'", tree.text(build_file))
    return {posixpath.normpath(f"{folder}/{name}") for name in names}


def check_installed(tree: Tree, header: str, installed: set[str]) -> None:
    if tree.text(header).startswith("// Public.") and header not in installed:
        tree.error(header, 1, "public, but not in install_headers of its meson.build")
    if header not in installed:
        return
    for number, line in tree.lines(header):
        include = re.match(r"#include <weir/(.+)>", line)
        if include and include[1] not in installed:
            tree.error(header, number, f"installed, but {include[1]} is not")


def check_shown(tree: Tree, header: str, installed: set[str]) -> None:
    for number, line in tree.lines(header):
        shown = line.startswith("namespace WEIR_API weir {")
        if header in installed and line.startswith("namespace") and "weir" in line and not shown:
            tree.error(header, number, "installed: write namespace WEIR_API weir {")
        if header not in installed and shown:
            tree.error(header, number, "shown by a shared library, but not installed")


def check(tree: Tree, paths: list[str]) -> None:
    named: set[str] = set()
    for folder in LIBRARY + ("tests",):
        named |= listed(tree, f"{folder}/meson.build")
    examples = re.findall(r"^  '([^']+)',$", tree.text("docs/examples/meson.build"), re.MULTILINE)
    named |= {f"docs/examples/{name}.cpp" for name in examples}
    for build_file in tree.files(["docs"], ".build"):
        named |= listed(tree, build_file)

    for path in sorted(named):
        if not tree.exists(path):
            tree.error(path, 1, "in a meson.build, but not there")
    for source in tree.files(LIBRARY + ("tests", "docs"), ".cpp"):
        if source not in named and not source.startswith(TUTORIAL):
            tree.error(source, 1, "in no meson.build: never compiled")
    for header in tree.files(LIBRARY, ".hpp"):
        check_installed(tree, header, {path for path in named if path.endswith(".hpp")})
        check_shown(tree, header, named)


if __name__ == "__main__":
    main(check, __doc__)
