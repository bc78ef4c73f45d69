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

READERS = ("bench/readuntil", ("gate_memory", "gate_instructions", "gate_loads"))
SERVERS = ("bench/serving", ("weir_echo_protocol", "weir_streams"))


class Mutant(NamedTuple):
    name: str
    patch: Patch
    trips: str  # The count that must be named, and on which cell.
    programs: tuple[str, tuple[str, ...]] = READERS  # That have it: their folder, their names.


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
    Mutant("what a stream writes goes through a string",
           Patch("streams/stream_writer.cpp", "state_->transport->write(data);",
                 "state_->transport->write(std::string(data));", "void StreamWriter::write("),
           r"FAILED  served lines 64 B x 1 x 128, weir lines, views: instructions per record",
           SERVERS),
    Mutant("what a transport writes goes through a string",
           Patch("net/socket_transport.cpp", "buffer_.append(data);",
                 "buffer_.append(std::string(data));", "void SocketTransport::write("),
           r"FAILED  served echo 64 B x 1 x 1, weir protocol: instructions per record", SERVERS),
)


def gate(option: str, programs: pathlib.Path) -> str:
    return subprocess.run([sys.executable, str(HERE / "gate.py"), option, str(programs)],
                          capture_output=True, text=True).stdout


def trips(mutant: Mutant) -> bool:
    place, names = mutant.programs
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for program in names:
            build(ROOT / "build/bench", f"{place}/{program}", mutant.patch, folder)
        if mutant.programs == SERVERS:
            (folder / "load").symlink_to(ROOT / "build/bench/bench/serving/load")
        output = gate("--servers" if mutant.programs == SERVERS else "--build", folder)
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
