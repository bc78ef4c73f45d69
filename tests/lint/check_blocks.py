#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every block of code in the documentation is what stands in a file that is built, or is executed.

    <!-- code: path/to/file.cpp#name -->    the lines between `// [name]` and `// [/name]` of that
                                            file, without their common indentation; without #name
                                            the whole file but for its licence. --update writes it.
    <!-- run: path/to/test_it.py -->        commands that this test takes from the page, and runs
    ```console                              `$ command` and what it prints: docs/site runs them
    ```sh                                   ./dev commands, with options that --help knows
    ```output, ```diagram                   not code
"""

import re
import shlex
import subprocess
import sys
import textwrap

import md
from tree import Tree, main

PLAIN = ("output", "diagram")
MARK = r"\s*(?://|#|--)\s*\[{}\]\s*"
ANY_MARK = re.compile(MARK.format(r"/?[\w-]+"))
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
LIST_ITEM = re.compile(r"^(?:[-*+]|\d+\.) ")
INDENTED_CODE = re.compile(r"^ {4,}\S")


class NoSuchPart(Exception):
    """The file, or the part of it, is not there."""


def part_of(tree: Tree, target: str) -> list[str]:
    """The lines that `path#name` means."""
    path, _, name = target.partition("#")
    if not tree.exists(path):
        raise NoSuchPart(f"there is no {path}")
    lines = tree.text(path).splitlines()
    if not name:
        return [line for line in lines
                if "SPDX-License" not in line and not ANY_MARK.fullmatch(line)]
    begin = re.compile(MARK.format(re.escape(name)))
    end = re.compile(MARK.format("/" + re.escape(name)))
    begins = [i for i, line in enumerate(lines) if begin.fullmatch(line)]
    ends = [i for i, line in enumerate(lines) if end.fullmatch(line)]
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        raise NoSuchPart(f"{path} has no part [{name}] that begins once and ends once")
    inner = [line for line in lines[begins[0] + 1:ends[0]] if not ANY_MARK.fullmatch(line)]
    return textwrap.dedent("\n".join(inner)).splitlines()


def help_of(tree: Tree, command: str, known: dict[str, str | None] = {}) -> str | None:
    """What `./dev COMMAND --help` says; None if it is no command."""
    if command not in known:
        done = subprocess.run([tree.root / "dev", command, "--help"], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, check=False)
        known[command] = done.stdout if done.returncode == 0 else None
    return known[command]


def check_commands(tree: Tree, page: str, fence: md.Fence) -> None:
    for number, line in enumerate(fence.body, fence.line + 1):
        for command in re.split(r"&&|\|\||;|\|", re.sub(r"(^|\s)#.*", "", line)):
            words = shlex.split(command)
            if not words or words[:2] == ["git", "clone"] or words[0] == "cd":
                continue
            if words[0] != "./dev" or len(words) < 2:
                tree.error(page, number, f"{words[0]} is not ./dev: which test runs it?")
                continue
            text = help_of(tree, words[1]) if words[1] != "--help" else ""
            if text is None:
                tree.error(page, number, f"there is no ./dev {words[1]}")
                continue
            for option in words[2:]:
                name = OPTION.match(option)
                if name and name[0] not in OPTION.findall(text):
                    tree.error(page, number, f"./dev {words[1]} --help does not know {name[0]}")


def check_run(tree: Tree, page: str, fence: md.Fence) -> None:
    name = page.rsplit("/", 1)[-1]
    if not tree.exists(fence.target):
        tree.error(page, fence.line, f"there is no {fence.target} that could run this")
    elif name not in tree.text(fence.target):
        tree.error(page, fence.line, f"{fence.target} does not read {name}")


def check_code(tree: Tree, page: str, fence: md.Fence) -> None:
    try:
        if part_of(tree, fence.target) != fence.body:
            tree.error(page, fence.line, f"is not {fence.target} any more: ./dev docs --update")
    except NoSuchPart as error:
        tree.error(page, fence.line, str(error))


def check_fence(tree: Tree, page: str, fence: md.Fence) -> None:
    if fence.kind == "code":
        check_code(tree, page, fence)
    elif fence.kind == "run":
        check_run(tree, page, fence)
    elif fence.language == "sh":
        check_commands(tree, page, fence)
    elif fence.language == "console":
        if not any(line.startswith("$ ") for line in fence.body):
            tree.error(page, fence.line, "no line begins with $: nothing to execute")
    elif fence.language not in PLAIN:
        said = fence.language or "no language"
        tree.error(page, fence.line, f"{said}: neither extracted, nor executed, nor output")


def check_unfenced(tree: Tree, page: str) -> None:
    """Indented code, which nobody checks; and lists that only the forge takes for lists."""
    before, in_list = "", False
    for number, line in md.prose(tree.text(page)):
        item = bool(LIST_ITEM.match(line))
        if item and before.strip() and not in_list:
            tree.error(page, number, "a list begins after an empty line")
        if INDENTED_CODE.match(line) and not before.strip() and not in_list:
            tree.error(page, number, "code that is only indented: use a fence")
        if item:
            in_list = True
        elif line.strip() and not line.startswith(" ") and not before.strip():
            in_list = False
        before = line


def pages(tree: Tree) -> list[str]:
    return ["README.md", "CONTRIBUTING.md"] + tree.files(["docs"], ".md")


def check(tree: Tree, paths: list[str]) -> None:
    for page in paths or pages(tree):
        if tree.exists(page):
            for fence in md.fences(tree.text(page)):
                check_fence(tree, page, fence)
            check_unfenced(tree, page)


def update(tree: Tree, page: str) -> bool:
    """Writes the extracted blocks of a page anew; whether something changed."""
    text = tree.text(page)
    lines = text.splitlines()
    for fence in reversed(md.fences(text)):
        if fence.kind == "code":
            part = [(fence.indent + line).rstrip() for line in part_of(tree, fence.target)]
            lines[fence.line:fence.line + len(fence.body)] = part
    new = "\n".join(lines) + "\n"
    if new != text:
        (tree.root / page).write_text(new, encoding="utf-8")
    return new != text


def update_all(tree: Tree, paths: list[str]) -> None:
    for page in paths or pages(tree):
        try:
            if update(tree, page):
                print(f"{page} is written")
        except NoSuchPart as error:
            tree.error(page, 1, str(error))


if __name__ == "__main__":
    writes = "--update" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--update"]
    main(update_all if writes else check, __doc__)
