#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants what the gate is there to find, one at a time: it must fail, and name the count."""

import pathlib
import re
import subprocess
import sys
import tempfile
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from planting import Patch, build  # noqa: E402

PROGRAMS = ("gate_memory", "gate_instructions", "gate_loads")


class Mutant(NamedTuple):
    name: str
    patch: Patch
    trips: str  # The count that must be named, and on which cell.


MUTANTS = (
    Mutant("every chunk is copied once more",
           Patch("streams/reader_state.cpp",
                 "if (eof_ || lent.empty() || buffer_.borrowed()) return feed(lent);",
                 "return feed(lent);", "void ReaderState::feed_borrowed("),
           r"FAILED  stream LF 64 view: copied per byte"),
    Mutant("every chunk is searched from the beginning of the record",
           Patch("streams/match_memo.cpp", "if (window_.searched < record + overlap) {",
                 "{ window_.searched = record;",
                 "bool MatchMemo::prepare("),
           r"FAILED  stream CRLFCRLF 1024 view: scanned per byte"),
)


def gate(programs: pathlib.Path) -> str:
    return subprocess.run([sys.executable, str(HERE / "gate.py"), "--build", str(programs)],
                          capture_output=True, text=True).stdout


def trips(mutant: Mutant) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        for program in PROGRAMS:
            build(ROOT / "build/bench", f"bench/readuntil/{program}", mutant.patch,
                  pathlib.Path(folder))
        output = gate(pathlib.Path(folder))
    found = re.search(f"{mutant.trips}.*", output)
    if not found or output.endswith(" 0 failed\n"):
        print(f"FAILED  the gate let through: {mutant.name}\n{output}")
        return False
    print(f"caught  {mutant.name}: {found[0]}", flush=True)
    return True


def main() -> int:
    caught = [trips(mutant) for mutant in MUTANTS]
    print(f"{sum(caught)} passed, {len(caught) - sum(caught)} failed")
    return 0 if all(caught) else 1


if __name__ == "__main__":
    sys.exit(main())
