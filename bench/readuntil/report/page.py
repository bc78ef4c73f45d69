# SPDX-License-Identifier: MIT
"""docs/readuntil.md: the prose of readuntil.md.in, with the figures of a run filled in."""

import pathlib
import re

import counts
import machine
import tables
import wanted
from results import (ASIO_ASYNC, ASIO_ASYNC_CHAR, ASIO_SYNC, ASIO_SYNC_CHAR, ASYNCIO, GETLINE, INTO,
                     READLN, SEARCH, STRING, VIEW, Cell, Results, figure)

# What a library gives, and what weir gives that is the same.
COUNTERPARTS = {
    ASIO_ASYNC: (VIEW,), ASIO_ASYNC_CHAR: (VIEW,), ASIO_SYNC: (VIEW,), ASIO_SYNC_CHAR: (VIEW,),
    SEARCH: (VIEW,), READLN: (STRING,), GETLINE: (INTO, STRING), ASYNCIO: (STRING,),
}
GROUPS = ("length", "separator", "chunk", "position", "real", "hostile")


class UnknownPlaceholder(Exception):
    pass


def losses_of(cell: Cell) -> list[str]:
    found = []
    for library, forms in COUNTERPARTS.items():
        theirs = cell.median(library)
        ours = next((form for form in forms if cell.median(form) is not None), None)
        if theirs is None or ours is None or cell.median(ours) <= theirs:
            continue
        found.append(f"| {tables.label(cell)} | {ours} {figure(cell.median(ours))} | "
                     f"{library} {figure(theirs)} | {figure(cell.median(ours) / theirs)} |")
    return found


def losses(results: Results) -> list[str]:
    """The cells in which a library is faster than what weir has for the same purpose."""
    rows = [row for group in GROUPS for cell in results.group(group) for row in losses_of(cell)]
    if not rows:
        return ["In no cell of this run."]
    return ["| | weir | faster | times |", "|---|---|---|---|", *rows]


def counts_table(results: Results) -> list[str]:
    columns = counts.COUNTS
    lines = ["| | " + " | ".join(f"{column} per {counts.UNITS[column]}" for column in columns) +
             " |", "|---" * (len(columns) + 1) + "|"]
    for name, counted in results.counts.items():
        cells = [f"{max(counted[column], 0):.4g}" if column in counted else ""
                 for column in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def fill(template: str, results: Results) -> str:
    """{{what}} or {{what argument}}, on a line of its own."""
    def replace(match: re.Match) -> str:
        what, _, argument = match[1].partition(" ")
        if what == "machine":
            lines = [f"- {name}: {value}" for name, value in results.machine.items()]
        elif what == "wanted":
            lines = wanted.as_markdown(wanted.all_rows(results))
        elif what == "table":
            lines = tables.as_markdown(results, argument)
        elif what == "losses":
            lines = losses(results)
        elif what == "counts":
            lines = counts_table(results)
        elif what == "conditions":
            lines = [machine.in_one_line(results.machine) + "."]
        else:
            raise UnknownPlaceholder(match[0])
        return "\n".join(lines)

    return re.sub(r"^\{\{(.+?)\}\}$", replace, template, flags=re.MULTILINE)


def write(results: Results, plots: dict[str, str], docs: pathlib.Path) -> None:
    template = pathlib.Path(__file__).with_name("readuntil.md.in")
    text = fill(template.read_text(encoding="utf-8"), results)
    (docs / "readuntil.md").write_text(text, encoding="utf-8")
    (docs / "readuntil").mkdir(exist_ok=True)
    for name, plot in plots.items():
        (docs / "readuntil" / name).write_text(plot, encoding="utf-8")
