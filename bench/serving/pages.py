# SPDX-License-Identifier: MIT
"""docs/serving.md, from what the last runs of serving, memory and loop have left behind."""

import json
import pathlib
import re

import loop
import report
from field import HERE
from report import COUNTED, DISTURBED, markdown
from wanted import Row, as_markdown

DOCS = report.ROOT / "docs"
PARTS = ("serving", "memory", "loop")  # Each has its ./dev bench NAME and its NAME.json.


def lost_cells(cells: dict) -> list[list[str]]:
    """Where the cheapest of weir's servers takes more than the cheapest peer."""
    found = []
    for name, cell in cells.items():
        ours = {who: seen["cpu_ns"] for who, seen in cell.items() if who.startswith("weir")}
        peers = {
            who: seen["cpu_ns"]
            for who, seen in cell.items()
            if who not in ours and not who.startswith("floor")
        }
        if not ours or not peers:
            continue
        best, peer = min(ours, key=ours.__getitem__), min(peers, key=peers.__getitem__)
        ratio = ours[best] / peers[peer]
        if ratio > 1:
            found.append([name, best, peer, f"{ratio:.2f}"])
    return found


def what_kind_of_run(everything: dict) -> list[str]:
    """A figure is worth what its run was."""
    medians = [seen for cell in everything["cells"].values() for seen in cell.values()]
    disturbed = sum(seen["disturbed"] > 0 for seen in medians)
    effort = everything["effort"]
    quick = " It was a **quick** run, of a few cells: expect other figures from a full one."
    return [
        f"This run measured {len(everything['cells'])} cells for {effort['seconds']:g} s a time."
        + (quick if effort["quick"] else ""),
        f"Of its {len(medians)} medians, {disturbed} rest on a run during which others used the "
        "machine.",
    ]


def rows_of(part: dict) -> list[Row]:
    return [Row(**{name: row[name] for name in Row._fields}) for row in part["must_show"]]


def when(part: dict) -> str:
    """What was measured by another command may be of another day."""
    described = part["machine"]
    return f"Measured {described.get('date', '?')}, commit {described.get('commit', '?')}."


def cell_tables(cells: dict) -> list[str]:
    lines = []
    for name, cell in cells.items():
        lines += [f"### {name}", "", *markdown(report.CELL_HEAD, report.cell_rows(cell)), ""]
    return [*lines, DISTURBED]


def not_measured(name: str) -> list[str]:
    return [f"Not measured: `./dev bench {name} --peers --write` does it."]


def memory_table(part: dict | None) -> list[str]:
    if part is None:
        return not_measured("memory")
    head = ["server", "bytes, idle", "bytes, after the burst"]
    body = [
        [name, *(f"{value:,.0f}" for value in seen.values())]
        for name, seen in sorted(part["servers"].items(), key=lambda entry: entry[1]["idle"])
    ]
    return [f"{part['connections']:,} connections. {when(part)}", "", *markdown(head, body)]


def loop_table(part: dict | None) -> list[str]:
    if part is None:
        return not_measured("loop")
    head, *body = loop.table_of(part["cells"])
    return [f"Nanoseconds, medians. {when(part)}", "", *markdown(head, body)]


def fill(parts: dict[str, dict | None]) -> str:
    """`parts`: by name, what there is; "serving" must be."""
    everything = parts["serving"]
    rows = sorted(
        (row for part in parts.values() if part is not None for row in rows_of(part)),
        key=lambda row: row.line,
    )
    lost = lost_cells(everything["cells"])
    head = ["cell", "best of weir", "best peer", "CPU a request, weir / peer"]
    figures = {
        "run": what_kind_of_run(everything),
        "machine": [f"- {name}: {value}" for name, value in everything["machine"].items()],
        "wanted": as_markdown(rows),
        "lost": markdown(head, lost) if lost else ["None in this run."],
        "cells": cell_tables(everything["cells"]),
        "skipped": [f"- {line}" for line in everything["skipped"]] or ["Nobody."],
        "memory": memory_table(parts.get("memory")),
        "loop": loop_table(parts.get("loop")),
        **{
            what: markdown(
                ["server", "cell", title], report.counted_rows(everything[what], digits)
            )
            for what, title, digits in COUNTED
        },
    }
    text = (HERE / "serving.md.in").read_text(encoding="utf-8")
    hole = re.compile(r"^\{(\w+)\}$", re.MULTILINE)
    return hole.sub(lambda found: "\n".join(figures[found[1]]), text)


def rewrite(out: pathlib.Path, docs: pathlib.Path = DOCS) -> str:
    """The page and its plots; what became of it."""
    parts = {}
    for name in PARTS:
        file = out / f"{name}.json"
        parts[name] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    if parts["serving"] is None:
        return "docs/serving.md is not written: ./dev bench serving --peers comes first"
    (docs / "serving.md").write_text(fill(parts), encoding="utf-8")
    report.write_plots(parts["serving"], docs / "serving")
    return "docs/serving.md is written"
