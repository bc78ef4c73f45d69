# SPDX-License-Identifier: MIT
"""The ratios that weir wants to reach, and whether a run has shown them."""

from typing import NamedTuple

from results import (ASIO_ASYNC, ASIO_ASYNC_CHAR, ASIO_SYNC, ASIO_SYNC_CHAR, ASYNCIO, INTO,
                     LAST_BYTE, MEMCHR, MEMCHR_INTO, MEMCHR_STRING, READLN, STRING, TWO_BYTES, VIEW,
                     VIEW_IN_WAIT_FOR, Cell, Results, figure, short)


class Row(NamedTuple):
    line: int  # Rows that belong together have one number.
    text: str
    measured: float | None  # None: this run has not measured it.
    wanted: float | None  # None: only told, for comparison.
    at_least: bool = False  # Otherwise: at most.

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not measured"
        if self.wanted is None:
            return ""
        met = self.measured >= self.wanted if self.at_least else self.measured <= self.wanted
        return "met" if met else "NOT MET"


def ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def bests(cell: Cell | None, above: str, below: str) -> float | None:
    return ratio(cell.best(above), cell.best(below)) if cell else None


def medians(cell: Cell | None, above: str, below: str) -> float | None:
    return ratio(cell.median(above), cell.median(below)) if cell else None


VIEW_LIMITS = {8: 0.7, 16: 0.75, 32: 0.9, 64: 1.0, 128: 1.2, 256: 1.2, 1024: 1.2, 16384: 1.2}


def resident(results: Results) -> list[Row]:
    rows = []
    for record, limit in VIEW_LIMITS.items():
        cell = results.find("resident", "LF", record)
        rows.append(Row(1, f"view ÷ memchr, LF, {short(record)} B, in cache, best",
                        bests(cell, VIEW, MEMCHR), limit))
    for record in VIEW_LIMITS:
        cell = results.find("resident", "LF", record)
        rows.append(Row(1, f"into ÷ memchr + memcpy, LF, {short(record)} B, in cache, best",
                        bests(cell, INTO, MEMCHR_INTO), 1.1))
    return rows


def strings(results: Results) -> list[Row]:
    return [Row(2, f"string ÷ memchr + std::string, LF, {short(record)} B",
                medians(results.find("length", "LF", record), STRING, MEMCHR_STRING), 1.2)
            for record in (16, 32, 64, 128, 256, 1024, 16384)]


def longer_separators(results: Results) -> list[Row]:
    rows = []
    for record in VIEW_LIMITS:
        cells = [results.find("resident", separator, record) for separator in ("CRLF", "LF")]
        above, below = (cell.best(VIEW) if cell else None for cell in cells)
        rows.append(Row(3, f"view, CRLF ÷ LF, {short(record)} B, in cache, best",
                        ratio(above, below), 1.5 if 32 <= record <= 128 else 1.3))
    for separator in ("CRLFCRLF", "16 B token"):
        for record in (64, 1024, 16384):
            cell = results.find("separator", separator, record)
            floors = [cell.median(side) for side in (LAST_BYTE, TWO_BYTES)] if cell else []
            floor = min((each for each in floors if each is not None), default=None)
            rows.append(Row(3, f"view ÷ best bare search, {separator}, {short(record)} B",
                            ratio(cell.median(VIEW) if cell else None, floor), 1.5))
    return rows


PEERS = {  # At 64 bytes, at 1 KiB.
    ASIO_ASYNC: (30, 35),
    ASIO_SYNC: (7, 15),
    READLN: (7, 1.7),
    ASYNCIO: (60, 12),
    ASIO_ASYNC_CHAR: (None, None),
    ASIO_SYNC_CHAR: (None, None),
}


def peers(results: Results) -> list[Row]:
    rows = []
    for record, column in ((64, 0), (1024, 1)):
        cell = results.find("length", "LF", record)
        for peer, wanted in PEERS.items():
            rows.append(Row(4, f"{peer} ÷ view, LF, {short(record)} B",
                            medians(cell, peer, VIEW), wanted[column], at_least=True))
    return rows


def flat(results: Results, small: Cell, side: str) -> Row:
    """Whether a byte of a long record takes no more than one of a short record."""
    large = results.find(small.group, small.separator, 1 << 20, small.name)
    per_byte = [cell.median(side) / cell.record_bytes if cell and cell.median(side) else None
                for cell in (large, small)]
    what = small.name or "a time-out after every chunk"
    return Row(5, f"time per byte, 1 MiB ÷ 64 KiB: {small.separator}, {what}", ratio(*per_byte),
               1.3)


def hostile(results: Results) -> list[Row]:
    rows = [Row(5, f"byte loads per input byte, {name}", loads, 3.0)
            for name, loads in results.loads.items()]
    if not rows:
        rows.append(Row(5, "byte loads per input byte", None, 3.0))
    for group, side in (("hostile", VIEW), ("time-outs", VIEW_IN_WAIT_FOR)):
        rows += [flat(results, small, side) for small in results.group(group)
                 if small.record == 65536]
    for cell in results.group("hostile"):
        if cell.name.startswith("near misses"):
            rows.append(Row(5, f"view ÷ two-byte AVX2: {cell.separator}, {cell.name}, "
                            f"{short(cell.record)} B", medians(cell, VIEW, TWO_BYTES), 2.0))
    return rows


def counted(results: Results) -> list[Row]:
    def of(cell: str, count: str) -> float | None:
        return results.counts.get(cell, {}).get(count)

    def row(line: int, text: str, cell: str, count: str, wanted: float) -> Row:
        return Row(line, text, of(cell, count), wanted)

    rows = [row(6, f"scanned per byte, {separator}, {chunk}-byte chunks",
                f"stream {separator} {record} view{suffix}", "scanned", 1.01 + more / chunk)
            for separator, record, chunk, suffix, more in (
                ("LF", 64, 1460, "", 0), ("LF", 64, 1, ", byte by byte", 0),
                ("CRLF", 64, 1460, "", 1), ("CRLF", 64, 1, ", byte by byte", 1),
                ("CRLFCRLF", 1024, 1460, "", 3))]
    rows.append(row(6, "copies of a byte, a 64 MiB record in 1460-byte chunks",
                    "stream LF 64 MiB view", "copied", 3.0))
    rows.append(Row(7, "loopback TCP, 64 B lines: rate, view ÷ recv + memchr",
                    medians(results.find("carrier", "LF", 64, "loopback TCP"), "recv + memchr",
                            VIEW), 0.85, True))
    rows.append(row(8, "instructions per 16 B record, LF: view", "resident LF 16 view",
                    "instructions", 50))
    rows.append(row(8, "instructions per 16 B record, LF: into", "resident LF 16 into",
                    "instructions", 70))
    all_of = of("resident LF 16 string", "instructions")
    less = results.allocator.get("resident LF 16 string")
    rows.append(Row(8, "instructions per 16 B record, LF: string, less malloc and free",
                    all_of - less if all_of is not None and less is not None else None, 105))
    return rows


def all_rows(results: Results) -> list[Row]:
    return (resident(results) + strings(results) + longer_separators(results) + peers(results) +
            hostile(results) + counted(results))


def bound(row: Row) -> str:
    if row.wanted is None:
        return "–"
    return ("≥ " if row.at_least else "≤ ") + figure(row.wanted)


def as_text(rows: list[Row]) -> list[str]:
    lines = [f"{'':4}{'ratio':72}{'measured':>9}{'wanted':>9}"]
    for row in rows:
        measured = figure(row.measured) if row.measured is not None else "–"
        lines.append(f"{row.line:>2}  {row.text:72}{measured:>9}{bound(row):>9}  {row.verdict}"
                     .rstrip())
    met = sum(row.verdict == "met" for row in rows)
    missed = sum(row.verdict == "NOT MET" for row in rows)
    absent = sum(row.verdict == "not measured" for row in rows)
    lines.append(f"{met} met, {missed} not met, {absent} not measured")
    return lines


def as_markdown(rows: list[Row]) -> list[str]:
    lines = ["| | ratio | measured | wanted | |", "|---|---|---|---|---|"]
    for row in rows:
        measured = figure(row.measured) if row.measured is not None else "–"
        verdict = f"**{row.verdict}**" if row.verdict == "NOT MET" else row.verdict
        lines.append(f"| {row.line} | {row.text} | {measured} | {bound(row)} | {verdict} |")
    return lines
