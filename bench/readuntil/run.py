#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the readuntil benchmark and shows what came of it. See ./dev bench --help."""

import argparse
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE / "report"), str(HERE / "gate")]

import counts  # noqa: E402
import machine  # noqa: E402
import page  # noqa: E402
import plots  # noqa: E402
import tables  # noqa: E402
import wanted  # noqa: E402
from results import Results  # noqa: E402


def run_cells(build: pathlib.Path, options) -> tuple[dict, list[dict]]:
    """What the benchmark says of itself, and its cells."""
    command = [str(build / "bench/readuntil/bench_readuntil"), "--python", options.python,
               "--script", str(HERE / "peers/cpython_reader.py")]
    command += ["--quick"] * options.quick
    command += ["--only", options.only] if options.only else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"readuntil: the benchmark exited with {done.returncode}")
    said, *cells = map(json.loads, done.stdout.splitlines())
    return said, cells


def measure(build: pathlib.Path, options) -> dict:
    said, cells = run_cells(build, options)
    rounds = max((len(side) for cell in cells for side in cell["sides"].values()), default=0)
    document = {"machine": machine.describe(ROOT, build, said, rounds), "cells": cells}
    if not options.only:
        figures = counts.measure(build / "bench/readuntil")
        document |= {"counts": figures.cells, "allocator": figures.allocator,
                     "functions": figures.functions, "loads": figures.loads}
    return document


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", metavar="GROUP", default="")
    parser.add_argument("--python", metavar="PATH", default="python3")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/bench")
    parser.add_argument("--from", dest="source", type=pathlib.Path,
                        help="show the results of an earlier run")
    options = parser.parse_args()
    if options.write and options.only:
        parser.error("--write wants a whole run")

    folder = options.build / "results"
    folder.mkdir(parents=True, exist_ok=True)
    if options.source:
        document = json.loads(options.source.read_text(encoding="utf-8"))
    else:
        document = measure(options.build, options)
        text = json.dumps(document, indent=None, separators=(",", ":"))
        (folder / "results.json").write_text(text.replace('{"group"', '\n{"group"') + "\n",
                                             encoding="utf-8")
    results = Results(document)
    drawn = plots.all_plots(results)
    for name, plot in drawn.items():
        (folder / name).write_text(plot, encoding="utf-8")
    if options.write:
        page.write(results, drawn, ROOT / "docs")
    rows = wanted.all_rows(results)
    if options.only:
        rows = [row for row in rows if row.measured is not None]
    print(*machine.as_text(results.machine), "", *wanted.as_text(rows), *tables.as_text(results),
          sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
