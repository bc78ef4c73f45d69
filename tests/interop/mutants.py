#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants bugs in the reader, one at a time; ./dev interop must find each in ten seconds."""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from planting import ROOT, Patch, build  # noqa: E402

STATE = "streams/reader_state.cpp"
SEARCH = "streams/reader_search.cpp"
SECONDS = 10


class Mutant(NamedTuple):
    name: str
    patch: Patch


def mutant(name: str, source: str, inside: str, old: str, new: str) -> Mutant:
    return Mutant(name, Patch(source, old, new, inside))


MUTANTS = (
    mutant("the limit is off by one", SEARCH, "Verdict ReaderState::judge(",
           "match.start > limit", "match.start >= limit"),
    mutant("the limit is off by one where nothing is found", SEARCH,
           "Verdict ReaderState::judge(", "amount() > limit", "amount() >= limit"),
    mutant("the transport resumes below the limit only", STATE, "void ReaderState::resume_if_low(",
           "buffer_.size() > limit_", "buffer_.size() >= limit_"),
    mutant("a cancelled read stays the waiter", STATE,
           "const Parked::Kind ReaderState::wait_parked",
           "if (reader.waiter_ == &node) reader.waiter_ = nullptr;", ""),
    mutant("the scan offset is lost", SEARCH, "Verdict ReaderState::look_until(",
           "if (!memo_.knows(separator)) [[unlikely]]", ""),
    mutant("the end is looked at before the overrun", SEARCH, "Verdict ReaderState::judge(",
           "if (amount() > limit) return", "if (!eof_ && amount() > limit) return"),
    mutant("readline leaves the newline of what it discards", STATE,
           "void ReaderState::discard_overrun(", "amount() + 1", "amount()"),
    mutant("readline discards one byte too many", STATE, "void ReaderState::discard_overrun(",
           "amount() + 1", "std::min(amount() + 2, buffer_.size())"),
    mutant("two read(-1) share what they collect", STATE, "Verdict ReaderState::look_read(",
           "if (collects) collect(read);", "collect(read);"),
)


def hunt(planted: Mutant, build_folder: pathlib.Path, options) -> bool:
    """Whether ./dev interop finds it in time; prints what it found."""
    with tempfile.TemporaryDirectory() as folder:
        runner = build(build_folder, "tests/interop_runner", planted.patch, pathlib.Path(folder))
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(HERE / "interop.py"), "--runner", str(runner), "--tier", "random",
             "--seconds", str(SECONDS), "--no-validation", "--failures", "1",
             "--jobs", str(options.jobs), "--python", options.python, "--seed", options.seed],
            capture_output=True, text=True)
        took = time.monotonic() - start
    found = re.search(r"DIFFERENT after ([\d.]+) s: (?s:.+?)(?=DIFFERENT|\Z)", done.stdout)
    if done.returncode != 1 or not found:
        print(f"NOT FOUND: {planted.name} ({took:.1f} s)\n{done.stdout}{done.stderr}")
        return False
    print(f"found: {planted.name}\n{found[0].rstrip()}", flush=True)
    return float(found[1]) <= SECONDS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/gcc")
    parser.add_argument("--python", default="python3")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    found = [hunt(each, options.build.resolve(), options) for each in MUTANTS]
    print(f"{sum(found)} of {len(found)} planted bugs found, each within {SECONDS} s")
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
