#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which share of the library's lines and branches the unit tests and 1000 simulations reach;
./dev coverage builds them so that they count, and starts this. Exits with 1 if a test fails, or the
share is too small."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/coverage"
LIBRARY = ("reactor", "net", "streams")
TEST = "--minimal=true"
PROGRAMS = (
    ("tests/test_probes", TEST),
    ("tests/test_reactor", TEST),
    ("tests/test_wakeup_pipe", TEST),
    ("tests/test_net", TEST),
    ("tests/test_streams", TEST),
    ("tests/test_faults", TEST),
    ("tests/test_sim", TEST),
    ("tests/test_fuzz", TEST),
    ("tests/test_oom", TEST),
    ("tests/sim", "--count", "1000"),
)
LEAST = {"lines": 93.0, "branches": 80.0}


class File(NamedTuple):
    """What was found and hit, and the lines that were not."""
    name: str
    lines: tuple[int, int]
    branches: tuple[int, int]
    missed_lines: list[int]
    missed_branches: list[int]


def run(command: list[str], **options) -> str:
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"coverage: {' '.join(command)} ended with {done.returncode}\n"
                 f"{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def profile(folder: pathlib.Path) -> pathlib.Path:
    """Runs everything; children that a test starts count, too."""
    environment = os.environ | {"WEIR_BUILD_DIR": str(BUILD),
                                "LLVM_PROFILE_FILE": f"{folder}/%p-%m.profraw"}
    for program, *arguments in PROGRAMS:
        said = run([str(BUILD / program), *arguments], env=environment).splitlines()
        print(f"{program}: {said[-1]}", flush=True)
    merged = folder / "all.profdata"
    run(["llvm-profdata-19", "merge", "-sparse", "-o", str(merged),
         *map(str, folder.glob("*.profraw"))])
    return merged


def read_lcov(text: str) -> list[File]:
    """The files of the library in an lcov file: https://ltp.sourceforge.net/coverage/lcov."""
    files: list[File] = []
    name, counts, missed = "", {}, {"DA": [], "BRDA": []}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key == "SF":
            name = os.path.relpath(os.path.realpath(BUILD / value), ROOT)
            counts, missed = {}, {"DA": [], "BRDA": []}
        elif key in ("LF", "LH", "BRF", "BRH"):
            counts[key] = int(value)
        elif key in missed:
            number, *_, hits = value.split(",")
            if hits in ("0", "-"):
                missed[key].append(int(number))
        elif key == "end_of_record" and name.split("/")[0] in LIBRARY:
            files.append(File(name, (counts["LF"], counts["LH"]),
                              (counts.get("BRF", 0), counts.get("BRH", 0)),
                              missed["DA"], sorted(set(missed["BRDA"]))))
    return sorted(files)


def percent(found: int, hit: int) -> float:
    return 100.0 * hit / found if found else 100.0


def row(name: str, lines: tuple[int, int], branches: tuple[int, int]) -> str:
    def cell(counts: tuple[int, int]) -> str:
        found, hit = counts
        return f"{percent(*counts):7.2f} % of {found:5}" if found else f"{'-':>17}"
    return f"{cell(lines)}  {cell(branches)}  {name}"


def totals(files: list[File]) -> dict[str, tuple[int, int]]:
    return {kind: tuple(sum(getattr(file, kind)[i] for file in files) for i in (0, 1))
            for kind in LEAST}


def shortfall(sums: dict[str, tuple[int, int]]) -> str:
    """What is required and not reached, or nothing."""
    return ", ".join(f"less than {least:.0f} % of the {kind}" for kind, least in LEAST.items()
                     if percent(*sums[kind]) < least)


def spans(numbers: list[int]) -> str:
    """1 2 3 7 as 1-3, 7."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev coverage", description=__doc__)
    parser.add_argument("--lines", action="store_true", help="also what was not reached")
    parser.add_argument("files", nargs="*", help="only files whose name contains one of these")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        merged = profile(pathlib.Path(folder))
        first, *others = (str(BUILD / program) for program, *_ in PROGRAMS)
        text = run(["llvm-cov-19", "export", "-format=lcov", f"-instr-profile={merged}", first,
                    *(f"-object={other}" for other in others)])
    files = [file for file in read_lcov(text)
             if not options.files or any(part in file.name for part in options.files)]
    if not files:
        sys.exit("coverage: no such file")
    print(f"{'lines':>17}  {'branches':>17}")
    for file in files:
        print(row(file.name, file.lines, file.branches))
        if options.lines and file.missed_lines:
            print(f"{'lines never reached: ':>42}{spans(file.missed_lines)}")
        if options.lines and file.missed_branches:
            print(f"{'with a branch never taken: ':>42}{spans(file.missed_branches)}")
    sums = totals(files)
    missing = "" if options.files else shortfall(sums)
    shares = " and ".join(f"{percent(*sums[kind]):.2f} % of {sums[kind][0]} {kind}"
                          for kind in LEAST)
    print(f"{len(files)} files: {shares} reached{missing and ': ' + missing}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
