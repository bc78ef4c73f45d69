# SPDX-License-Identifier: MIT
"""Tables for the terminal and for docs/serving.md."""

import datetime
import json
import pathlib
import platform
import re
import shlex
import subprocess

import rows as wanted

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


# ---- On what

def output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def compiler_and_flags(programs: pathlib.Path) -> str:
    for folder in programs.resolve().parents:
        database = folder / "compile_commands.json"
        if database.exists():
            entries = json.loads(database.read_text())
            of_ours = (e["command"] for e in entries if e["file"].endswith("event_loop.cpp"))
            words = [word for word in shlex.split(next(of_ours)) if "ccache" not in word]
            flags = [word for word in words if re.match(r"-(O|std=|march|flto|fsanitize)", word)]
            return " ".join([(output(words[0], "--version").splitlines() or ["?"])[0], *flags])
    return "?"


def machine(programs: pathlib.Path) -> dict[str, str]:
    processor = re.search(r"model name\s*: (.+)", pathlib.Path("/proc/cpuinfo").read_text())
    changed = output("git", "status", "--porcelain", "--untracked-files=no")
    return {
        "date": datetime.date.today().isoformat(),
        "commit": output("git", "rev-parse", "--short=10", "HEAD") + " and changes" * bool(changed),
        "processor": processor[1] if processor else platform.machine(),
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": compiler_and_flags(programs),
        "libc": " ".join(platform.libc_ver()),
        **peer_versions(),
    }


def peer_versions() -> dict[str, str]:
    packages = ("libasio-dev", "libuv1", "libevent-2.1-7", "python3.11", "python3-uvloop",
                "librust-tokio-dev")
    listed = output("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n",
                    *packages)
    if not listed:  # One that is unknown makes dpkg-query fail: one by one, then.
        listed = "\n".join(
            output("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}", package)
            for package in packages
        )
    installed = [line.split() for line in listed.splitlines() if line.endswith(" installed")]
    return {name: version for name, version, _ in installed}


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
    lines = [f"{name:16}{value}" for name, value in everything["machine"].items()]
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


# ---- The page

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


def page(everything: dict, rows: list[wanted.Row]) -> str:
    cells = []
    for name, cell in everything["cells"].items():
        cells += [f"### {name}", "", *markdown(CELL_HEAD, cell_rows(cell)), ""]
    cells.append(DISTURBED)
    lost = lost_cells(everything["cells"])
    head = ["cell", "best of weir", "best peer", "CPU a request, weir / peer"]
    figures = {
        "machine": [f"- {name}: {value}" for name, value in everything["machine"].items()],
        "wanted": wanted.as_markdown(rows),
        "lost": markdown(head, lost) if lost else ["None in this run."],
        "cells": cells,
        "skipped": [f"- {line}" for line in everything["skipped"]] or ["Nobody."],
        **{
            what: markdown(["server", "cell", title], counted_rows(everything[what], digits))
            for what, title, digits in COUNTED
        },
    }
    text = (HERE / "page.md").read_text(encoding="utf-8")
    hole = re.compile(r"^\{(\w+)\}$", re.MULTILINE)
    return hole.sub(lambda found: "\n".join(figures[found[1]]), text)


def write_page(everything: dict, rows: list[wanted.Row], folder: pathlib.Path) -> None:
    (folder / "serving.md").write_text(page(everything, rows), encoding="utf-8")
