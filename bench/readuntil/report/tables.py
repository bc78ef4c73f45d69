# SPDX-License-Identifier: MIT
"""The cells of a run as tables: a row for each cell, a column for each side."""

from results import Cell, Results, figure, short

TITLES = {
    "resident": "Records already in the reader: ns per record, best round",
    "length": "Over the length of the record: ns per record, median",
    "separator": "Over the separator: ns per record, median",
    "chunk": "Over the size of the chunks: ns per record, median",
    "position": "Where chunks end: ns per record, median",
    "real": "What there is in the world: ns per record, median",
    "hostile": "Hostile input: ns per record, median",
    "time-outs": "A time-out after every chunk: ns per record, median",
    "limits": "Records over the limit, and just under it: ns per record, median",
    "consumer": "How records are taken: ns per record, median",
    "connections": "Connections that take turns: ns per record, median",
    "carrier": "Over what the bytes come: ns per record, median",
}


KERNEL_CARRIERS = ("socketpair", "loopback TCP")


def label(cell: Cell) -> str:
    parts = [cell.separator]
    if cell.record:
        parts.append(f"{short(cell.record)} B")
    if cell.group == "chunk":
        parts.append("in chunks of " + (f"{short(cell.chunk)} B" if cell.chunk else "any size"))
    if cell.name:
        parts.append(cell.name)
    return ", ".join(parts)


def columns(cells: list[Cell]) -> list[str]:
    names: dict[str, None] = {}
    for cell in cells:
        names |= dict.fromkeys(cell.sides)
    return list(names)


def value(cell: Cell, side: str) -> float | None:
    if not cell.rounds(side):
        return None
    return cell.best(side) if cell.group == "resident" else cell.median(side)


def kernel_share(cell: Cell) -> list[str]:
    """Where there is a kernel: how much of the time it takes."""
    if cell.group != "carrier" or cell.name not in KERNEL_CARRIERS:
        return []
    shares = ", ".join(f"{side} {100 * share:.0f} %" for side, share in cell.system.items())
    return [f"  of which the kernel's: {shares}"]


def spread_of(cells: list[Cell]) -> str:
    """How far the rounds of these cells lie apart, at worst and typically."""
    spreads = sorted(cell.spread(side) for cell in cells for side in cell.sides)
    if not spreads:
        return ""
    return (f"half of the rounds lie within ±{100 * spreads[len(spreads) // 2]:.1f} % of the median"
            f" (typical side), ±{100 * spreads[-1]:.0f} % (worst)")


def as_text(results: Results) -> list[str]:
    lines = []
    for group, title in TITLES.items():
        cells = results.group(group)
        if not cells:
            continue
        sides = columns(cells)
        lines += ["", title + "; " + spread_of(cells)]
        lines += [f"  [{chr(ord('a') + i)}] {side}" for i, side in enumerate(sides)]
        lines.append(" " * 46 + "".join(f"{'[' + chr(ord('a') + i) + ']':>11}"
                                        for i in range(len(sides))))
        for cell in cells:
            lines.append(f"{label(cell)[:46]:46}" +
                         "".join(f"{figure(value(cell, side)):>11}" for side in sides))
            lines += kernel_share(cell)
    return lines


def as_markdown(results: Results, group: str) -> list[str]:
    cells = results.group(group)
    if not cells:
        return ["*Not measured in this run.*"]
    sides = columns(cells)
    lines = ["| | " + " | ".join(sides) + " |", "|---" * (len(sides) + 1) + "|"]
    for cell in cells:
        lines.append(f"| {label(cell)} | " +
                     " | ".join(figure(value(cell, side)) for side in sides) + " |")
    for cell in cells:
        for line in kernel_share(cell):
            lines += ["", f"{label(cell)}:{line[1:]}."]
    return lines + ["", f"Nanoseconds per record; {spread_of(cells)}."]
