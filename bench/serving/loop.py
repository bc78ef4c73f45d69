#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./dev bench loop: what one operation of an event loop takes, on weir and on its peers."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

from field import HERE, OUT, PROGRAMS, python_with
from report import describe_machine, table
from wanted import Row, as_text

ARMED = (1_000, 100_000, 1_000_000)
PLAIN = ("call_soon", "yield", "await_child", "future", "wake")
SHOWN = {
    "call_soon": "call_soon, chained",
    "yield": "yield between tasks",
    "await_child": "await a child coroutine",
    "future": "set a future, resume who awaits it",
    "wake": "wake another thread's loop, one way",
    "timer_cancel": "timer: call_at + cancel",
    "timer_later_cancel": "timer: call_later + cancel",
    "timer_rearm": "timer: move an armed one",
    "timer_fire": "timer: call_at + fire",
}


def all_cells(quick: bool) -> list[tuple[str, int]]:
    found = [(name, 0) for name in PLAIN]
    for name in ("timer_cancel", "timer_later_cancel", "timer_rearm", "timer_fire"):
        for armed in ARMED:
            if not (quick and armed == ARMED[-1]):
                found.append((name, armed))
    return found


def programs_of(folder: pathlib.Path, peers: bool) -> dict[str, list[str]]:
    found = {"weir": [str(folder / "weir_loop")]}
    if not peers:
        return found
    for name in ("libevent", "Asio", "libuv"):
        program = folder / f"{name.lower()}_loop"
        if program.exists():
            found[name] = [str(program)]
        else:
            print(f"skipped: {name}: it is not installed")
    python = python_with("uvloop")
    script = str(HERE / "loop" / "asyncio_loop.py")
    found["asyncio"] = [python or sys.executable, script]
    if python:
        found["uvloop"] = [python, script, "--uvloop"]
    else:
        print("skipped: uvloop: no python3 has it (apt: python3-uvloop)")
    return found


def measure(command: list[str], cell: str, armed: int) -> float | None:
    """None: it has no such thing."""
    done = subprocess.run([*command, cell, str(armed)], capture_output=True, text=True)
    if "no such cell" in done.stderr:
        return None
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} {cell}: {done.stderr.strip()}")
    return float(done.stdout)


def left_out(name: str, cell: str, armed: int) -> bool:
    """A million timers cost CPython's loops gigabytes or minutes."""
    return name in ("asyncio", "uvloop") and armed == ARMED[-1]


def measure_all(programs, wanted, rounds) -> dict:
    found: dict = {}
    for cell, armed in wanted:
        key = f"{cell} {armed}" if armed else cell
        print(key, file=sys.stderr, flush=True)
        seen: dict = {name: [] for name in programs}
        for number in range(rounds):
            order = list(programs.items())
            for name, command in order if number % 2 == 0 else order[::-1]:
                if not left_out(name, cell, armed):
                    seen[name].append(measure(command, cell, armed))
        found[key] = {
            name: {"ns": statistics.median(values), "min": min(values), "max": max(values)}
            for name, values in seen.items()
            if values and values[0] is not None
        }
    return found


def must_show(results: dict) -> list[Row]:
    def times_faster(key: str, *peers: str) -> float | None:
        """Than the best of these; than the best of all."""
        cell = results.get(key, {})
        others = [value["ns"] for name, value in cell.items() if name in peers or not peers]
        if not peers:
            others = [value["ns"] for name, value in cell.items() if name != "weir"]
        return min(others) / cell["weir"]["ns"] if others else None

    child = times_faster("await_child", "Asio")
    found = [
        Row(8, "call_soon: Asio's post / weir", times_faster("call_soon", "Asio"), 3, True),
        Row(8, "call_soon: libevent / weir", times_faster("call_soon", "libevent"), 2, True),
        Row(8, "yield between tasks: Asio / weir", times_faster("yield", "Asio"), 10, True),
        Row(8, "await of a child: weir / Asio", None if child is None else 1 / child, 0.9),
    ]
    for armed, times in zip(ARMED, (2, 3, 3)):
        measured = times_faster(f"timer_cancel {armed}")
        claim = f"schedule + cancel, {armed} armed: best peer / weir"
        found.append(Row(8, claim, measured, times, True))
    for armed in ARMED:
        measured = times_faster(f"timer_fire {armed}")
        found.append(Row(8, f"schedule + fire, {armed}: best peer / weir", measured, 2, True))
    return found


def table_of(results: dict) -> list[list[str]]:
    """The head, and a row for each operation."""
    programs = list(dict.fromkeys(who for cell in results.values() for who in cell))
    rows = [["operation", *programs]]
    for key, cell in results.items():
        name, _, armed = key.partition(" ")
        label = SHOWN[name] + (f", {int(armed):,}" if armed else "")
        rows.append(
            [label, *(f"{cell[who]['ns']:,.1f}" if who in cell else "-" for who in programs)]
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench loop", description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, default=PROGRAMS)
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--peers", action="store_true", help="everybody, not weir alone")
    parser.add_argument("--quick", action="store_true", help="not a million timers")
    parser.add_argument("--write", action="store_true", help="also docs/serving.md")
    options = parser.parse_args()
    programs = programs_of(options.programs, options.peers)
    rounds = 3 if options.quick else 7
    results = measure_all(programs, all_cells(options.quick), rounds)
    ratios = must_show(results)
    print(*as_text(ratios), sep="\n")
    head, *body = table_of(results)
    print("\nns, medians")
    print(table(head, body))
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "loop.json"
    everything = {
        "machine": describe_machine(rounds),
        "must_show": [row._asdict() | {"verdict": row.verdict} for row in ratios],
        "cells": results,
    }
    file.write_text(json.dumps(everything, indent=1) + "\n")
    if options.write:
        import pages

        print(pages.rewrite(options.out))
    print(f"{len(results)} cells, in {file}")


if __name__ == "__main__":
    main()
