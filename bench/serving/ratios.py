# SPDX-License-Identifier: MIT
"""What the figures were to show: measured, wanted, met or not."""

import math
import statistics

from costs import INSTRUCTIONS
from field import FLOORS, WEIR_ECHO, WEIR_LINES, Cell
from wanted import Row

JUDGED = ("weir protocol", "weir streams, views", "weir streams, owned")
PEERS = (
    "Asio callbacks",
    "Asio coroutines",
    "libuv",
    "libevent",
    "tokio",
    "asyncio protocol",
    "asyncio streams",
    "uvloop protocol",
    "uvloop streams",
)


class Results:
    """cells: {str(cell): {name: summary}}, instructions and system calls likewise, of numbers."""

    def __init__(self, cells, instructions=None, calls=None):
        self.cells = cells
        self.instructions = instructions or {}
        self.calls = calls or {}

    def of(self, cell: Cell, name: str, field: str = "cpu_ns") -> float | None:
        found = self.cells.get(str(cell), {}).get(name)
        return None if found is None else found[field]

    def ratio(self, cell: Cell, name: str, other: str, field: str = "cpu_ns") -> float | None:
        one, two = self.of(cell, name, field), self.of(cell, other, field)
        return None if one is None or not two else one / two


def median_of(values) -> float | None:
    present = [value for value in values if value is not None]
    return statistics.median(present) if present else None


def geometric_mean(values) -> float | None:
    present = [value for value in values if value is not None]
    return math.exp(statistics.fmean(map(math.log, present))) if present else None


def small_echo() -> list[Cell]:
    return [Cell("echo", count, many, 1) for count in (64, 1024) for many in (64, 1000)]


def judged_echo(results: Results) -> list[Cell]:
    """All that were measured, but those of a single connection."""
    found = []
    for count in (64, 1024, 16 * 1024, 100 * 1024):
        for connections in (64, 1000):
            for depth in (1, 16):
                cell = Cell("echo", count, connections, depth)
                if str(cell) in results.cells:
                    found.append(cell)
    return found


def instruction_ratios(results: Results) -> list[Row]:
    return [
        Row(1, f"{wanted.contestant}, depth {wanted.cell.depth}: instructions a request",
            results.instructions.get(str(wanted.cell), {}).get(wanted.contestant),
            wanted.at_most,
        )
        for wanted in INSTRUCTIONS
    ]


def floor_ratios(results: Results) -> list[Row]:
    bounds = {name: 1.10 if name in WEIR_ECHO[:2] else 1.15 for name in WEIR_ECHO}
    return [
        Row(2, f"{name} / floor, echo, median of {len(small_echo())} cells",
            median_of(results.ratio(cell, name, FLOORS["echo"]) for cell in small_echo()),
            bound,
        )
        for name, bound in bounds.items()
    ]


def line_ratios(results: Results) -> list[Row]:
    found = []
    cells = {depth: Cell("lines", 64, 64, depth) for depth in (16, 128)}
    for name, bounds in zip(WEIR_LINES, ((1.15, 1.2), (1.3, 1.6))):
        for (depth, cell), bound in zip(cells.items(), bounds):
            measured = results.ratio(cell, name, FLOORS["lines"])
            found.append(Row(3, f"{name} / batching floor, depth {depth}", measured, bound))
    for (depth, cell), bound in zip(cells.items(), (0.15, 0.03)):
        calls = results.calls.get(str(cell), {}).get("weir lines, owned")
        found.append(Row(3, f"weir lines, owned: system calls a line, depth {depth}", calls, bound))
    less = (
        (128, "Asio read_until", 40),
        (128, "tokio LinesCodec", 40),
        (128, "uvloop readline", 10),
        (128, "asyncio readline", 50),
        (16, "Asio read_until", 11),
        (16, "uvloop readline", 3.5),
    )
    for depth, peer, times in less:
        measured = results.ratio(cells[depth], peer, "weir lines, owned")
        found.append(Row(3, f"{peer} / weir lines, owned, depth {depth}", measured, times, True))
    return found


def peer_ratios(results: Results) -> list[Row]:
    cells = judged_echo(results)
    found = []
    for name in JUDGED:
        worst = [
            ratio
            for cell in cells
            for peer in PEERS
            if (ratio := results.ratio(cell, name, peer)) is not None
        ]
        found.append(Row(4, f"{name} / best peer, worst cell", max(worst, default=None), 1.15))
        for peer in PEERS:
            mean = geometric_mean(results.ratio(cell, name, peer) for cell in cells)
            found.append(Row(4, f"{name} / {peer}, geometric mean", mean, 1.0))
    first = Cell("echo", 64, 64, 1)
    for peer, times in (("asyncio streams", 1.4), ("uvloop streams", 1.2)):
        for name in JUDGED[1:]:
            measured = results.ratio(first, peer, name)
            found.append(Row(5, f"{peer} / {name}, {first}", measured, times, True))
    return found


def latency_ratios(results: Results) -> list[Row]:
    first = Cell("echo", 64, 64, 1)
    return [
        Row(9, f"{name} / floor, p99, {first}",
            results.ratio(first, name, FLOORS["echo"], "p99_us"),
            1.3,
        )
        for name in JUDGED
    ]


def must_show(results: Results, extra: list[Row]) -> list[Row]:
    """In the order of the claims. `extra`: what beside.py has measured."""
    every = (
        instruction_ratios(results)
        + floor_ratios(results)
        + line_ratios(results)
        + peer_ratios(results)
        + latency_ratios(results)
        + extra
    )
    return sorted(every, key=lambda row: row.line)
