#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares what a record, or a request, costs with what is written down. See ./dev bench --help."""

import argparse
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import served  # noqa: E402
from counts import COUNTS, MACHINE_COUNTS, UNITS, Failed, made_with, measure  # noqa: E402

ROOT = HERE.parents[2]
ALLOWED = 1.02
NOISE = 0.005  # Of what is nearly nothing, 2 % is less than a single event in a run.


def judge(measured: dict[str, float], written: dict[str, float],
          same_machine: bool) -> tuple[list[str], list[str]]:
    """What is worse than it was, and what is better."""
    worse, better = [], []
    for count in COUNTS:
        if count not in written or (count in MACHINE_COUNTS and not same_machine):
            continue
        new, old = measured.get(count), written[count]
        if new is None:
            worse.append(f"{count}: not counted any more")
        elif new > old * ALLOWED + NOISE:
            worse.append(f"{count} per {UNITS[count]}: {new:.3f}, was {old:.3f}")
        elif new * ALLOWED + NOISE < old:
            better.append(f"{count} per {UNITS[count]}: {new:.3f}, was {old:.3f}")
    return worse, better


def compare(cells: dict, written: dict, same_machine: bool, say=print) -> tuple[int, int]:
    """Says of each cell what became of it; returns how many passed and failed."""
    passed = failed = improved = 0
    for name in written | cells:
        if name not in cells or name not in written:
            say(f"FAILED  {name}: " + ("is not measured any more" if name in written else
                                       "is new: ./dev bench gate --update writes it down"))
            failed += 1
            continue
        worse, better = judge(cells[name], written[name], same_machine)
        for line in worse:
            say(f"FAILED  {name}: {line}")
        for line in better:
            say(f"better  {name}: {line}")
        failed += bool(worse)
        passed += not worse
        improved += bool(better)
    if improved and not failed:
        say("Something became better: ./dev bench gate --update writes it down.")
    return passed, failed


def table(cells: dict[str, dict[str, float]]) -> list[str]:
    lines = [f"{'':52}" + "".join(f"{count:>13}" for count in COUNTS),
             f"{'':52}" + "".join(f"{'per ' + UNITS[count]:>13}" for count in COUNTS)]
    for name, counted in cells.items():
        lines.append((f"{name:52}" + "".join(
            f"{counted[count]:>13.3f}" if count in counted else " " * 13
            for count in COUNTS)).rstrip())
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/bench/bench/readuntil")
    parser.add_argument("--servers", type=pathlib.Path, default=ROOT / "build/bench/bench/serving")
    parser.add_argument("--file", type=pathlib.Path, default=ROOT / "bench/gate.json")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    try:
        cells = measure(options.build).cells | served.measure(options.servers)
        here = made_with(options.compiler)
    except Failed as error:
        print(f"{error}\n0 passed, 1 failed")
        return 1
    print(*table(cells), sep="\n")
    print(f"counted with {here['compiler']}, {here['libc']}, WEIR_SIMD=avx2")
    if options.update:
        rounded = {name: {count: round(value, 4) for count, value in counted.items()}
                   for name, counted in cells.items()}
        text = json.dumps({"made_with": here, "cells": rounded}, indent=1)
        options.file.write_text(text + "\n", encoding="utf-8")
        print(f"{options.file.name} is written")
        print(f"{len(cells)} passed, 0 failed")
        return 0
    written = json.loads(options.file.read_text(encoding="utf-8"))
    same = written["made_with"] == here
    if not same:
        was = written["made_with"]
        print(f"{options.file.name} was counted with {was['compiler']}, {was['libc']}: "
              "instructions and loads are not compared, the other counts are.")
    passed, failed = compare(cells, written["cells"], same)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
