#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./dev bench serving: what a server costs on weir, on the floor, and on its peers."""

import argparse
import json
import pathlib
import sys
import time

import beside
import costs
import pages
import report
import threads
from contest import FULL, MOST_REPEATS, QUICK, Patience, contest, summary
from field import OUT, PROGRAMS, RESP_KV, Cell, cells, everybody, own
from ratios import JUDGED, Results, must_show
from runs import RunError, allow_many_descriptors, run

BATCHES = {1: 2000, 16: 300, 128: 100}  # By depth: of a count, for one connection.


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench serving", description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, default=PROGRAMS)
    parser.add_argument("--resp-kv", type=pathlib.Path, default=RESP_KV)
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--peers", action="store_true", help="everybody, not weir and floors alone")
    parser.add_argument("--quick", action="store_true", help="fewer cells, shorter")
    parser.add_argument("--only", default="", help="cells whose name contains this")
    parser.add_argument("--seconds", type=float, help="of each run")
    parser.add_argument("--no-counts", action="store_true", help="neither callgrind nor strace")
    parser.add_argument("--write", action="store_true", help="also docs/serving.md and its plots")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page anew")
    return parser.parse_args()


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure_cells(wanted, contestants, effort, programs, patience) -> dict:
    found = {}
    for cell in wanted:
        progress(str(cell))
        ours = [one for one in contestants if one.kind == cell.kind]
        rounds = effort.rounds or cell.rounds
        seen = contest(
            ours,
            rounds,
            lambda one: run(programs, one, cell, effort.warm_up, effort.seconds),
            patience,
        )
        found[str(cell)] = {name: summary(runs) for name, runs in seen.items()}
    return found


def count_instructions(contestants, programs) -> dict:
    found: dict = {}
    by_name = {one.name: one for one in contestants}
    for wanted in costs.INSTRUCTIONS:
        progress(f"instructions: {wanted.contestant}, depth {wanted.cell.depth}")
        found.setdefault(str(wanted.cell), {})[wanted.contestant] = costs.instructions(
            programs, by_name[wanted.contestant], wanted.cell, BATCHES[wanted.cell.depth]
        )
    return found


def count_calls(contestants, programs) -> dict:
    found: dict = {}
    for kind, depths in (("echo", (1,)), ("lines", (16, 128))):
        for depth in depths:
            cell = Cell(kind, 64, 64, depth)
            progress(f"system calls: {cell}")
            batches = max(4, BATCHES[depth] // 40)
            found[str(cell)] = {
                one.name: costs.system_calls(programs, one, cell, batches)
                for one in contestants
                if one.kind == kind
            }
    return found


def main() -> int:
    options = arguments()
    if options.page:
        print(pages.rewrite(options.out))
        return 0
    allow_many_descriptors()
    effort = QUICK if options.quick else FULL
    if options.seconds:
        effort = type(effort)(effort.warm_up, options.seconds, effort.rounds)
    contestants, skipped = everybody(options.programs, options.peers)
    for line in skipped:
        print(f"skipped: {line}")
    wanted = [
        cell
        for cell in cells()
        if options.only in str(cell) and (cell.quick or not options.quick)
    ]
    began = time.monotonic()
    patience = Patience(MOST_REPEATS // 4 if options.quick else MOST_REPEATS)
    results = Results(measure_cells(wanted, contestants, effort, options.programs, patience))
    extra = []
    if not options.only:
        judged = [one for one in contestants if one.name in JUDGED]
        extra += beside.beside_redis(options.resp_kv, 1 if options.quick else 5)
        extra += beside.beside_a_firehose(
            options.programs, judged, effort, 1 if options.quick else 3
        )
        progress("two loops on two threads")
        extra += threads.two_loops(options.programs, effort, 5, patience)
    for tool in costs.missing_tools():
        print(f"skipped: what {tool} counts: it is not installed")
    if not options.no_counts and not costs.missing_tools():
        results.instructions = count_instructions(contestants, options.programs)
        traced = own(options.programs) if options.quick else contestants
        results.calls = count_calls(traced, options.programs)

    rows = must_show(results, extra)
    if options.only or not options.peers:
        rows = [row for row in rows if row.measured is not None]
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "serving.json"
    everything = {
        "machine": report.describe_machine(effort.rounds or 3),
        "effort": {
            "warm_up": effort.warm_up, "seconds": effort.seconds, "quick": options.quick
        },
        "skipped": skipped,
        "must_show": [row._asdict() | {"verdict": row.verdict} for row in rows],
        "cells": results.cells,
        "instructions": results.instructions,
        "system_calls": results.calls,
    }
    file.write_text(json.dumps(everything, indent=1) + "\n")
    report.write_plots(everything, options.out)
    print(*report.terminal(everything, rows), sep="\n")
    if options.write:
        print(pages.rewrite(options.out))
    print(f"{len(results.cells)} cells in {time.monotonic() - began:.0f} s, in {file}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RunError as error:
        sys.exit(f"serving: {error}")
