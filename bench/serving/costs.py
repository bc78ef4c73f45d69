# SPDX-License-Identifier: MIT
"""What a request costs, counted: instructions (callgrind) and system calls (strace), each as
(twice as many requests - as many) / as many, so that starting and connecting cancel out."""

import dataclasses
import pathlib
import re
import shutil
import tempfile

from field import Cell, Contestant
from runs import RunError, Server, finish_load, start_load

TOTAL_OF_CALLGRIND = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


def answered(programs: pathlib.Path, port: int, cell: Cell, batches: int) -> None:
    seen = finish_load(start_load(programs, port, cell, "--batches", batches))
    if seen["requests"] != batches * cell.depth * cell.connections:
        raise RunError(f"{seen['requests']} requests were answered")


def per_request(count_of, cell: Cell, batches: int) -> float:
    once = count_of(batches)
    twice = count_of(2 * batches)
    return (twice - once) / (batches * cell.depth * cell.connections)


def instructions(programs: pathlib.Path, contestant: Contestant, cell: Cell, batches: int) -> float:
    """In user space, of the server, for a request."""

    def count_of(many: int) -> int:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "callgrind.out"
            tool = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={file}", "-q")
            with Server(contestant.command, prefix=tool) as server:
                answered(programs, server.port, cell, many)
            found = TOTAL_OF_CALLGRIND.search(file.read_text())
            if found is None:
                raise RunError("callgrind has counted nothing")
            return int(found[1])

    return per_request(count_of, cell, batches)


def system_calls(programs: pathlib.Path, contestant: Contestant, cell: Cell, batches: int) -> float:
    """Of the server, for a request. Under strace it is slower, so more may come together."""

    def count_of(many: int) -> int:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "strace.out"
            tool = ("strace", "-f", "-c", "-o", str(file))
            with Server(contestant.command, prefix=tool) as server:
                try:
                    answered(programs, server.port, cell, many)
                finally:
                    stop_traced(server.pid)
            return total_calls(file.read_text())

    return per_request(count_of, cell, batches)


def stop_traced(strace: int) -> None:
    """strace writes its table when what it traces has ended; it does not pass signals on."""
    import os
    import signal

    children = pathlib.Path(f"/proc/{strace}/task/{strace}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)


def total_calls(table: str) -> int:
    """The third column from the left of the line `100.00 0.1 12 345 6 total`: calls."""
    for line in table.splitlines():
        fields = line.split()
        if fields and fields[-1] == "total":
            return int(fields[3])
    raise RunError(f"strace said {table[-500:]!r}")


def missing_tools() -> list[str]:
    return [tool for tool in ("valgrind", "strace") if shutil.which(tool) is None]


# ---- The cells whose instructions a gate can hold

@dataclasses.dataclass(frozen=True)
class Counted:
    contestant: str
    cell: Cell
    at_most: float  # What is wanted.


ECHO_1 = Cell("echo", 64, 1, 1)
LINES_1 = Cell("lines", 64, 1, 1)
LINES_128 = Cell("lines", 64, 1, 128)

INSTRUCTIONS = (
    Counted("weir protocol", ECHO_1, 260),
    Counted("weir streams, views", ECHO_1, 500),
    Counted("weir streams, owned", ECHO_1, 650),
    Counted("weir lines, views", LINES_1, 620),
    Counted("weir lines, views", LINES_128, 130),
    Counted("weir lines, owned", LINES_1, 780),
    Counted("weir lines, owned", LINES_128, 300),
)
