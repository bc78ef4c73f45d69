# SPDX-License-Identifier: MIT
"""What a run has measured: cells, and in each the nanoseconds per record of every side."""

import statistics
from dataclasses import dataclass, field

VIEW, INTO, STRING = "weir view", "weir into", "weir string"
VIEW_IN_WAIT_FOR = "weir view in wait_for"
MEMCPY, MEMCHR, MEMCHR_INTO, MEMCHR_STRING = ("memcpy alone", "memchr", "memchr + memcpy",
                                              "memchr + std::string")
LAST_BYTE, TWO_BYTES = "last-byte memchr", "two bytes, AVX2"
ASIO_ASYNC, ASIO_ASYNC_CHAR = "Asio async_read_until", "Asio async_read_until, char"
ASIO_SYNC, ASIO_SYNC_CHAR = "Asio read_until", "Asio read_until, char"
READLN, SEARCH, GETLINE = "libevent readln", "libevent search", "std::getline"
ASYNCIO = "asyncio"  # Its version follows.


@dataclass
class Cell:
    group: str
    separator: str
    name: str
    record: int
    chunk: int
    records: int
    bytes: int
    sides: dict[str, list[float]]  # Each round's nanoseconds per record.
    system: dict[str, float] = field(default_factory=dict)  # The kernel's share of the time.

    def rounds(self, side: str) -> list[float]:
        """Of the side that is called so, or begins so: a version may follow."""
        for name, rounds in self.sides.items():
            if name == side or name.startswith(side + " 3."):
                return rounds
        return []

    def median(self, side: str) -> float | None:
        rounds = self.rounds(side)
        return statistics.median(rounds) if rounds else None

    def best(self, side: str) -> float | None:
        return min(self.rounds(side), default=None)

    def spread(self, side: str) -> float:
        """Half of the rounds lie within so much of the median, as a share of it."""
        rounds = self.rounds(side)
        if len(rounds) < 4:
            return 0.0
        low, middle, high = statistics.quantiles(rounds, n=4)
        return (high - low) / 2 / middle

    @property
    def record_bytes(self) -> float:
        return self.bytes / self.records

    def gigabytes(self, side: str) -> float | None:
        """Per second, by the median."""
        median = self.median(side)
        return self.record_bytes / median if median else None


class Results:
    def __init__(self, document: dict):
        self.document = document
        self.machine: dict[str, str] = document["machine"]
        self.cells = [Cell(**cell) for cell in document["cells"]]
        self.counts: dict[str, dict[str, float]] = document.get("counts", {})
        self.allocator: dict[str, float] = document.get("allocator", {})
        self.functions: dict[str, dict[str, float]] = document.get("functions", {})
        self.loads: dict[str, float] = document.get("loads", {})

    def group(self, group: str, separator: str | None = None) -> list[Cell]:
        return [cell for cell in self.cells
                if cell.group == group and separator in (None, cell.separator)]

    def find(self, group: str, separator: str, record: int, name: str = "",
             chunk: int | None = None) -> Cell | None:
        for cell in self.group(group, separator):
            if (cell.record, cell.name) == (record, name) and chunk in (None, cell.chunk):
                return cell
        return None


def short(size: float) -> str:
    """1048576 is 1 Mi."""
    for unit, name in ((1 << 20, " Mi"), (1 << 10, " Ki")):
        if size >= unit and size % unit == 0:
            return f"{size / unit:.0f}{name}"
    return f"{size:.0f}"


def figure(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return ""
    if value >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 0.01 or value == 0 else f"{value:.4f}"
