# SPDX-License-Identifier: MIT
"""The pages of the tutorial have their parts, and the last table names what is there.

That the code on them is that of the programs, and that links lead somewhere, `./dev lint` checks.
"""

import pathlib
import re

from program import TUTORIAL

ROW = re.compile(r"^\| `(?P<mine>[^`]+)` \| \[`(?P<theirs>[^\]]+)`\]\((?P<path>[^)]+)\)",
                 re.MULTILINE)
PARTS = ["The idea", "The code", "Byte by byte", "What weir says", "Exercises"]


def missing_parts(page: pathlib.Path) -> list[str]:
    """Of the page of a step: three questions first, exercises last."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    missing = []
    if len(re.findall(r"^\d\. .*\?$", text.partition("\n## ")[0], re.MULTILINE)) != 3:
        missing.append("three questions, each on a line")
    if re.findall(r"^## (.*)$", text, re.MULTILINE) != PARTS:
        missing.append(f"the headings {', '.join(PARTS)}")
    return missing


def files_named_first(page: pathlib.Path) -> set[str]:
    """The sources that a page links to before it begins."""
    intro = page.read_text(encoding="utf-8").partition("\n## ")[0]
    return set(re.findall(r"\]\((\w+\.[hc]pp)\)", intro))


def table_of_names(page: pathlib.Path) -> tuple[int, list[str]]:
    """How many rows the last table has, and the names in it that do not exist.

    A row is | `name` | [`weir's name`](weir's file) | ...; the first is of the last step.
    """
    last = max(TUTORIAL.glob("[0-9][0-9]_*"))
    ours = "".join(path.read_text(encoding="utf-8") for path in sorted(last.glob("*.[hc]pp")))
    rows, missing = 0, []
    for row in ROW.finditer(page.read_text(encoding="utf-8")):
        rows += 1
        if not is_named(row["mine"], ours):
            missing.append(f"{row['mine']} in the last step")
        path = page.parent / row["path"]
        if not path.is_file() or not is_named(row["theirs"], path.read_text(encoding="utf-8")):
            missing.append(f"{row['theirs']} in {row['path']}")
    return rows, missing


def is_named(name: str, text: str) -> bool:
    """Whether the text has it: `A::b` as that, or as class A with a member b."""
    if re.search(rf"\b{re.escape(name)}\b", text):
        return True
    outer, _, inner = name.rpartition("::")
    return bool(outer) and all(re.search(pattern, text) for pattern in
                               (rf"\b(class|struct) {outer}\b", rf"\b{inner}\("))
