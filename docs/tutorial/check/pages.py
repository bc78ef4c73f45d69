#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pages of the tutorial: their code is that of the programs, their links lead somewhere.

A block of code is preceded by a line that says where it comes from:

    <!-- code: docs/tutorial/03_epoll/loop.hpp#run_once -->

and is what stands between `// [run_once]` and `// [/run_once]` there, less the common indent. Run
as a program, this file brings all blocks up to date.
"""

import pathlib
import re
import sys
import textwrap

from program import ROOT, TUTORIAL

BLOCK = re.compile(r"<!-- code: (?P<path>\S+?)#(?P<name>\S+) -->\n```\w*\n(?P<code>.*?)^```$",
                   re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"(?:<!-- code: \S+ -->\n)?^```(\w*)\n.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
ROW = re.compile(r"^\| `(?P<mine>[^`]+)` \| \[(?P<theirs>[^\]]+)\]\((?P<path>[^)]+)\)",
                 re.MULTILINE)


def extract(path: pathlib.Path, name: str) -> str | None:
    """The lines between the marks, without marks of parts of it."""
    found = re.search(rf"^ *// \[{re.escape(name)}\]\n(.*?)^ *// \[/{re.escape(name)}\]$",
                      path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    if not found:
        return None
    lines = [line for line in found[1].splitlines(keepends=True)
             if not re.match(r" *// \[/?\w+\]$", line)]
    return textwrap.dedent("".join(lines)).strip("\n") + "\n"


def wrong_blocks(page: pathlib.Path) -> list[str]:
    """The C++ blocks of a page that name no source, or are not what stands there."""
    text = page.read_text(encoding="utf-8")
    wrong = [f"{block['path']}#{block['name']}" for block in BLOCK.finditer(text)
             if not (ROOT / block["path"]).is_file()
             or extract(ROOT / block["path"], block["name"]) != block["code"]]
    for fence in FENCE.finditer(text):
        if fence[1] == "cpp" and not fence[0].startswith("<!-- code:"):
            wrong.append(f"a block without its source: {fence[0].splitlines()[1]}")
    return wrong


def dead_links(page: pathlib.Path) -> list[str]:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    return [link for link in links
            if not link.startswith("http") and not (page.parent / link).exists()]


def missing_parts(page: pathlib.Path) -> list[str]:
    """Of the page of a step: three questions first, exercises last."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    missing = []
    if len(re.findall(r"^\d\. .*\?$", text.partition("\n## ")[0], re.MULTILINE)) != 3:
        missing.append("three questions, each on a line")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    for wanted in ("The idea", "The code", "Byte by byte", "Exercises"):
        if wanted not in headings:
            missing.append(f"## {wanted}")
    if headings and headings[-1] != "Exercises":
        missing.append("exercises at the end")
    return missing


def table_of_names(page: pathlib.Path) -> tuple[int, list[str]]:
    """How many rows the last table has, and the names in it that do not exist.

    A row is | `name` | [weir's name](weir's file) | …; the first is of the last step.
    """
    text = page.read_text(encoding="utf-8")
    last = sorted(TUTORIAL.glob("09_*"))
    ours = "".join(path.read_text(encoding="utf-8") for path in sorted(last[0].glob("*.[hc]pp")))
    rows, missing = 0, []
    for row in ROW.finditer(text):
        rows += 1
        if not is_named(row["mine"], ours):
            missing.append(f"{row['mine']} in the last step")
        path = (page.parent / row["path"]).resolve()
        if not path.is_file() or not is_named(row["theirs"].strip("`"),
                                              path.read_text(encoding="utf-8")):
            missing.append(f"{row['theirs']} in {row['path']}")
    return rows, missing


def is_named(name: str, text: str) -> bool:
    """Whether the text has it: `A::b` as that, or as class A with a member b."""
    name = name.removesuffix("()")
    if re.search(rf"\b{re.escape(name)}\b", text):
        return True
    outer, _, inner = name.rpartition("::")
    return bool(outer) and bool(re.search(rf"\b(class|struct) {outer}\b", text)) and \
        bool(re.search(rf"\b{inner}\b", text))


def refresh(page: pathlib.Path) -> None:
    def current(block):
        code = extract(ROOT / block["path"], block["name"])
        if code is None:
            sys.exit(f"{page}: there is no {block['path']}#{block['name']}")
        return f"<!-- code: {block['path']}#{block['name']} -->\n```cpp\n{code}```"

    page.write_text(BLOCK.sub(current, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    for each in sorted(TUTORIAL.rglob("*.md")):
        refresh(each)
