#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every header compiles alone, and every source includes its own header first.

The compiler is $CXX, or g++. With paths, only these files are looked at.
"""

import concurrent.futures
import os
import re
import subprocess
import tempfile

from tree import LIBRARY, Tree, main

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow",
         "-Wconversion", "-Wsign-conversion", "-Werror", "-x", "c++", "-"]


def compile_alone(tree: Tree, header: str, include_folder: str) -> None:
    name = header if header.startswith("tests/") else f"weir/{header}"
    folders = [f"-I{include_folder}", f"-I{tree.root}"]
    if header.startswith("tests/support/kqueue/"):  # They are for what no system here has.
        folders += ["-isystem", f"{tree.root}/tests/support/kqueue/freebsd"]
    result = subprocess.run(
        [os.environ.get("CXX", "g++"), *folders, *FLAGS],
        input=f"#include <{name}>\n", capture_output=True, text=True, check=False)
    if result.returncode != 0:
        first = next((line for line in result.stderr.splitlines() if "error" in line), "")
        tree.error(header, 1, f"does not compile alone: {first.split(': ', 1)[-1]}")


def own_header(tree: Tree, source: str) -> str | None:
    """poller_epoll.cpp has poller.hpp, if there is no poller_epoll.hpp."""
    folder, _, name = source.rpartition("/")
    stem = name.removesuffix(".cpp")
    while stem:
        if tree.exists(f"{folder}/{stem}.hpp"):
            return f"{folder}/{stem}.hpp"
        stem = stem.rpartition("_")[0]
    return None


def check_first_include(tree: Tree, source: str) -> None:
    own = own_header(tree, source)
    first = re.search(r"^\s*#\s*include\s*(\S+)", tree.text(source), re.MULTILINE)
    if own and (not first or first[1] != f"<weir/{own}>"):
        line = tree.text(source)[:first.start() + 1].count("\n") + 1 if first else 1
        tree.error(source, line, f"include <weir/{own}> first")


def check(tree: Tree, paths: list[str]) -> None:
    headers = tree.files(LIBRARY + ("tests",), ".hpp")
    sources = tree.files(LIBRARY, ".cpp")
    if paths:
        headers, sources = set(paths) & set(headers), set(paths) & set(sources)
    with tempfile.TemporaryDirectory() as include_folder:
        os.mkdir(f"{include_folder}/weir")
        for folder in LIBRARY:
            os.symlink(tree.root / folder, f"{include_folder}/weir/{folder}")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda header: compile_alone(tree, header, include_folder), headers))
    tree.errors.sort()
    for source in sources:
        check_first_include(tree, source)


if __name__ == "__main__":
    main(check, __doc__)
