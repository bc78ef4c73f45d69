# SPDX-License-Identifier: MIT
"""The plots of a run: which sides are shown, in which colours, over what."""

import machine
import svg
import tables
from results import (ASIO_ASYNC, ASIO_SYNC, ASYNCIO, GETLINE, INTO, LAST_BYTE, MEMCHR, MEMCPY,
                     READLN, SEARCH, STRING, TWO_BYTES, VIEW, Cell, Results, short)

COLOURS = {VIEW: 0, STRING: 1, INTO: 2, MEMCPY: 7, MEMCHR: 9, LAST_BYTE: 9, TWO_BYTES: 7,
           ASIO_ASYNC: 8, ASIO_SYNC: 4, READLN: 3, SEARCH: 3, GETLINE: 5, ASYNCIO: 6}
FLOORS = (MEMCPY, MEMCHR, LAST_BYTE, TWO_BYTES)


def series_over(cells: list[Cell], sides: list[str], x_of, y_of) -> list[svg.Series]:
    found = []
    for side in sides:
        points = [(x_of(cell), y_of(cell, side)) for cell in cells if cell.rounds(side)]
        if points:
            names = [name for cell in cells for name in cell.sides]
            name = next((name for name in names if name.startswith(side + " 3")), side)
            found.append(svg.Series(name, COLOURS[side], points, side in FLOORS))
    return found


def conditions(results: Results, cells: list[Cell]) -> str:
    return (f"Medians; {tables.spread_of(cells)}. " + machine.in_one_line(results.machine) + ".")


def throughput(results: Results) -> str:
    cells = [cell for cell in results.group("length", "LF") if not cell.name]
    sides = [VIEW, INTO, STRING, MEMCPY, MEMCHR, ASIO_ASYNC, ASIO_SYNC, READLN, GETLINE, ASYNCIO]
    return svg.lines(
        "Lines out of 64 KiB chunks: how fast, by the length of the line",
        conditions(results, cells),
        svg.Axes("bytes in a record, LF included", "GB per second",
                 {cell.record: short(cell.record) for cell in cells}),
        series_over(cells, sides, lambda cell: cell.record, Cell.gigabytes))


def chunks(results: Results) -> str:
    cells = [cell for cell in results.group("chunk", "LF") if cell.record == 64 and cell.chunk]
    sides = [VIEW, INTO, STRING, MEMCPY, MEMCHR, ASIO_ASYNC, ASIO_SYNC, READLN, GETLINE, ASYNCIO]
    return svg.lines(
        "Lines of 64 bytes: what one takes, by the size of the chunks",
        conditions(results, cells),
        svg.Axes("bytes in a chunk", "nanoseconds per record",
                 {cell.chunk: short(cell.chunk) for cell in cells}),
        series_over(cells, sides, lambda cell: cell.chunk, Cell.median))


def hostile(results: Results) -> str:
    cells = [cell for cell in results.group("hostile") if cell.record == 1 << 20]
    rows = [f"{cell.separator}: {cell.name}" for cell in cells]
    sides = [VIEW, LAST_BYTE, TWO_BYTES, ASIO_ASYNC, ASIO_SYNC, SEARCH, ASYNCIO]
    series = [svg.Series(each.name, each.colour, [(y, x) for x, y in each.points], each.floor)
              for each in series_over(cells, sides, cells.index,
                                      lambda cell, side: cell.median(side) / cell.record_bytes)]
    return svg.dots("Hostile input: records of 1 MiB that are full of almost-separators",
                    conditions(results, cells), "nanoseconds per byte", rows, series)


# What a function is for, by a part of its name; the first that fits.
PARTS = {
    "malloc and free": ("malloc", "free", "operator new", "operator delete", "pool_"),
    "copy": ("memcpy", "memmove", "basic_string<char", "_M_"),
    "search": ("find_separator", "memchr", "Match", "match", "search", "memcmp"),
    "coroutine and its loop": ("take_records",),
    "reader": ("ReaderState", "ByteBuffer", "Read"),
    "rest": ("",),
}
PART_COLOURS = {"search": 0, "reader": 2, "coroutine and its loop": 3, "copy": 5,
                "malloc and free": 8, "rest": 7}


def part_of(function: str) -> str:
    short_name = function.split("(")[0] if function.startswith("operator") else function
    if "take_records" in function:
        return "coroutine and its loop"
    if "ReaderState::search" in function:
        return "search"
    if "ReaderState" in function or "StreamReader::" in function:
        return "reader"
    return next(part for part, words in PARTS.items() if any(word in short_name for word in words))


def instructions(results: Results) -> str:
    bars = {}
    for form in ("view", "into", "string"):
        functions = results.functions.get(f"resident LF 16 {form}")
        if functions is None:
            continue
        bar = dict.fromkeys(PART_COLOURS, 0.0)
        for function, cost in functions.items():
            bar[part_of(function)] += cost
        bars[form] = {part: value for part, value in bar.items() if value >= 0.5}
    return svg.stacks("Where the instructions of a 16-byte line go",
                      "Counted by callgrind, without the feed. " +
                      machine.in_one_line(results.machine) + ".",
                      "instructions per record", bars, PART_COLOURS)


def all_plots(results: Results) -> dict[str, str]:
    """By file name. A run of some cells only has some of the plots."""
    plots = {}
    if results.group("length"):
        plots["throughput.svg"] = throughput(results)
    if results.group("chunk"):
        plots["chunks.svg"] = chunks(results)
    if results.group("hostile"):
        plots["hostile.svg"] = hostile(results)
    if results.functions:
        plots["instructions.svg"] = instructions(results)
    return plots
