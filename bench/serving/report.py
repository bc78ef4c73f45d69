# SPDX-License-Identifier: MIT
"""Tables for the terminal and for docs/serving.md."""

import pathlib

from field import BUILD, HERE  # Before the others: it says where they are.

import machine  # noqa: I001
import svg
import wanted

ROOT = HERE.parents[1]


# ---- On what

PACKAGES = {
    "libasio-dev": "Asio",
    "libuv1": "libuv",
    "libevent-2.1-7": "libevent",
    "python3.11": "CPython",
    "python3-uvloop": "uvloop",
    "librust-tokio-dev": "tokio",
}


def describe_machine(rounds: int) -> dict[str, str]:
    return machine.describe(ROOT, BUILD / "bench", peer_versions(), rounds)


def peer_versions() -> dict[str, str]:
    """One by one: a package that is unknown makes dpkg-query fail."""
    found = {}
    for package, name in PACKAGES.items():
        form = "${Version} ${db:Status-Status}"
        version, _, status = machine.output("dpkg-query", "-W", "-f", form, package).partition(" ")
        if status == "installed":
            found[name] = version
    return found


# ---- Tables

def table(head: list[str], body: list[list[str]]) -> str:
    """In columns, the first to the left."""
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    lines = []
    for row in [head, *body]:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(head: list[str], body: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in body]


CELL_HEAD = ["server", "CPU ns/request", "min", "max", "requests/s", "p50 us", "p99 us", "p99.9 us"]


def cell_rows(cell: dict) -> list[list[str]]:
    """The cheapest first."""
    found = []
    for name, seen in sorted(cell.items(), key=lambda entry: entry[1]["cpu_ns"]):
        mark = " *" if seen["disturbed"] else ""
        found.append(
            [
                name + mark,
                *(f"{seen[field]:,.0f}" for field in ("cpu_ns", "cpu_ns_min", "cpu_ns_max")),
                f"{seen['rate']:,.0f}",
                *(f"{seen[field]:,.0f}" for field in ("p50_us", "p99_us", "p999_us")),
            ]
        )
    return found


def counted_rows(counted: dict, digits: int) -> list[list[str]]:
    return [
        [name, cell, f"{value:,.{digits}f}"]
        for cell, names in counted.items()
        for name, value in sorted(names.items(), key=lambda entry: entry[1])
    ]


COUNTED = (("instructions", "instructions/request", 0), ("system_calls", "system calls/request", 3))
DISTURBED = "* others used the machine in all attempts at one of its runs."


def terminal(everything: dict, rows: list[wanted.Row]) -> list[str]:
    lines = machine.as_text(everything["machine"])
    lines += ["", *wanted.as_text(rows)]
    for name, cell in everything["cells"].items():
        lines += ["", f"{name} (bytes x connections x depth)", table(CELL_HEAD, cell_rows(cell))]
    for what, title, digits in COUNTED:
        if everything[what]:
            body = counted_rows(everything[what], digits)
            lines += ["", table(["server", "cell", title], body)]
    if any(seen["disturbed"] for cell in everything["cells"].values() for seen in cell.values()):
        lines += ["", DISTURBED]
    return lines


# ---- Plots

def plot(everything: dict, kind: str) -> str:
    """Processor time for a request: a row for each cell, a point for each server."""
    cells = {name: cell for name, cell in everything["cells"].items() if name.startswith(kind)}
    names = list(dict.fromkeys(name for cell in cells.values() for name in cell))
    names = [name for name in names if not name.startswith(NOT_DRAWN)]
    series = []
    for colour, name in enumerate(names):
        points = [
            (cell[name]["cpu_ns"], row) for row, cell in enumerate(cells.values()) if name in cell
        ]
        series.append(svg.Series(name, colour % COLOURS, points, not name.startswith("weir")))
    return svg.dots(
        f"{kind.capitalize()}: processor time of the server for a request",
        "Bytes x connections x depth. Medians; discs: weir, rings: the floor and the others; "
        "asyncio and uvloop are in the tables. "
        + machine.in_one_line(everything["machine"]) + ".",
        "nanoseconds",
        list(cells),
        series,
    )


COLOURS = 10  # That svg.py has. Without CPython's loops nobody shares one.
NOT_DRAWN = ("asyncio", "uvloop")


def plots(everything: dict) -> dict[str, str]:
    """By file name; of a run of some cells some."""
    return {
        f"{kind}.svg": plot(everything, kind)
        for kind in ("echo", "lines")
        if any(name.startswith(kind) for name in everything["cells"])
    }


def write_plots(everything: dict, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in plots(everything).items():
        (folder / name).write_text(text, encoding="utf-8")
