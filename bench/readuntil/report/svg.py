# SPDX-License-Identifier: MIT
"""Plots as SVG files that need nothing else, readable on a light and on a dark page."""

import math
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 900, 78, 232, 64, 88

# Colours are told apart by people who see them differently, too; dashes and rings help. Plain rules
# instead of variables, which not every viewer knows.
STYLE = """
text { font: 13px system-ui, sans-serif; }
.title { font-size: 17px; font-weight: 600; }
.note { font-size: 11px; }
.axis, .grid, .line { fill: none; }
.line { stroke-width: 2.2; }
.floor { stroke-dasharray: 6 4; stroke-width: 1.8; }
.ring { stroke-width: 2; }
"""


def palette(page: str, ink: str, faint: str, grid: str, band: str, *colours: str) -> str:
    rules = [f".page, .ring {{ fill: {page}; }}", f"text {{ fill: {ink}; }}",
             f".axis {{ stroke: {ink}; }}", f".note {{ fill: {faint}; }}",
             f".grid {{ stroke: {grid}; }}", f".band {{ fill: {band}; }}",
             f".part {{ stroke: {page}; }}"]
    for i, colour in enumerate(colours):
        rules.append(f".f{i} {{ fill: {colour}; }} .s{i} {{ stroke: {colour}; }}")
    return "\n".join(rules)


LIGHT = palette("#ffffff", "#1f2328", "#59636e", "#e3e6ea", "#f4f6f8", "#0b57d0", "#c2410c",
                "#1a7f37", "#8250df", "#bf3989", "#9a6700", "#0e7490", "#6e7781", "#cf222e",
                "#3f3f46")
DARK = palette("#0d1117", "#e6edf3", "#9198a1", "#2a313c", "#151b23", "#6ea8fe", "#ffa657",
               "#56d364", "#c297ff", "#ff8fcf", "#e3b341", "#39c5cf", "#9ea7b3", "#ff7b72",
               "#d4d4d8")


@dataclass
class Series:
    name: str
    colour: int
    points: list[tuple[float, float]]
    floor: bool = False  # Not a reader, but what none can beat: dashed.


@dataclass
class Canvas:
    """Marks, and the frame around them."""

    title: str
    note: str
    height: int = 540
    marks: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, what: str, anchor: str = "start", kind: str = "",
             turned: bool = False) -> None:
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
        name = f' class="{kind}"' if kind else ""
        self.marks.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{name}{turn}>'
                          f"{escape(what)}</text>")

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "grid") -> None:
        self.marks.append(f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>')

    def rectangle(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        self.marks.append(f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                          f'height="{height:.1f}"/>')

    def dot(self, x: float, y: float, colour: int, floor: bool = False) -> None:
        kind = f"ring s{colour}" if floor else f"f{colour}"
        self.marks.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')

    def document(self) -> str:
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" '
                f'role="img" aria-label="{escape(self.title)}">')
        style = (f"<style>{STYLE}{LIGHT}\n"
                 f"@media (prefers-color-scheme: dark) {{\n{DARK}\n}}\n</style>")
        frame = (f'<rect class="page" width="{WIDTH}" height="{self.height}"/>'
                 f'<text class="title" x="{LEFT - 50}" y="28">{escape(self.title)}</text>')
        notes = "".join(f'<text class="note" x="{LEFT - 50}" '
                        f'y="{self.height - 8 - 14 * i}">{escape(line)}</text>'
                        for i, line in enumerate(reversed(in_lines(self.note))))
        return "\n".join([head, style, frame, *self.marks, notes, "</svg>"]) + "\n"


def in_lines(note: str, width: int = 150) -> list[str]:
    lines = [""]
    for word in note.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = (lines[-1] + " " + word).strip()
    return lines


class LogScale:
    """A logarithmic axis, from a little below the least to a little above the greatest."""

    def __init__(self, values: list[float], start: float, end: float):
        self.low, self.high = math.log10(min(values)), math.log10(max(values))
        margin = 0.03 * (self.high - self.low) or 0.1
        self.low, self.high = self.low - margin, self.high + margin
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Powers of ten; with few of them in sight, as many between them as it takes."""
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        found: list[float] = []
        for steps in STEPS[0 if self.high - self.low > 3 else 1:]:
            found = [round(step * 10.0 ** decade, 9) for decade in decades for step in steps
                     if self.low <= math.log10(step * 10.0 ** decade) <= self.high]
            if len(found) >= FEWEST_TICKS:
                break
        return found


FEWEST_TICKS = 3
STEPS = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9),
         tuple(step / 10 for step in range(10, 100)))
ROOM = 46  # Between the names of ticks.


def number(value: float) -> str:
    whole = value >= 1 and value == round(value)
    return f"{value:,.0f}".replace(",", " ") if whole else f"{value:g}"


def stroke(series: Series) -> str:
    return f"line s{series.colour}" + " floor" * series.floor


def legend(canvas: Canvas, series: list[Series]) -> None:
    """In the order of where the lines end, so that the eye finds them."""
    x = WIDTH - RIGHT + 22
    for i, each in enumerate(sorted(series, key=lambda one: -one.points[-1][1])):
        y = TOP + 12 + 24 * i
        canvas.marks.append(f'<path class="{stroke(each)}" d="M{x} {y - 4}h26"/>')
        canvas.dot(x + 13, y - 4, each.colour, each.floor)
        canvas.text(x + 34, y, each.name)


@dataclass
class Axes:
    x_title: str
    y_title: str
    x_names: dict[float, str]  # Where ticks stand, and what they say.


def lines(title: str, note: str, axes: Axes, series: list[Series]) -> str:
    """Both axes logarithmic."""
    canvas = Canvas(title, note)
    bottom, right = canvas.height - BOTTOM - 26, WIDTH - RIGHT
    x_of = LogScale(list(axes.x_names), LEFT, right)
    y_of = LogScale([y for each in series for _, y in each.points], bottom, TOP)
    for tick in y_of.ticks():
        canvas.line(LEFT, y_of(tick), right, y_of(tick))
        canvas.text(LEFT - 8, y_of(tick) + 4, number(tick), "end")
    for place, name in axes.x_names.items():
        canvas.line(x_of(place), bottom, x_of(place), bottom + 5, "axis")
        canvas.text(x_of(place), bottom + 20, name, "middle")
    canvas.line(LEFT, bottom, right, bottom, "axis")
    canvas.line(LEFT, TOP, LEFT, bottom, "axis")
    canvas.text((LEFT + right) / 2, bottom + 42, axes.x_title, "middle")
    canvas.text(24, (TOP + bottom) / 2, axes.y_title, "middle", turned=True)
    for each in series:
        path = "L".join(f"{x_of(x):.1f} {y_of(y):.1f}" for x, y in each.points)
        canvas.marks.append(f'<path class="{stroke(each)}" d="M{path}"/>')
        for x, y in each.points:
            canvas.dot(x_of(x), y_of(y), each.colour, each.floor)
    legend(canvas, series)
    return canvas.document()


def dots(title: str, note: str, x_title: str, rows: list[str], series: list[Series]) -> str:
    """A row for each name; a point (value, row) for each series."""
    step, left = 34, 300
    canvas = Canvas(title, note, height=TOP + max(step * len(rows) + 26, 24 * len(series)) + BOTTOM)
    bottom, right = TOP + step * len(rows), WIDTH - RIGHT
    x_of = LogScale([x for each in series for x, _ in each.points], left, right)
    for i, row in enumerate(rows):
        if i % 2 == 0:
            canvas.rectangle(left - 290, TOP + step * i, right - left + 290, step, "band")
        canvas.text(left - 10, TOP + step * (i + 0.5) + 4, row, "end")
    named = left - ROOM
    for tick in x_of.ticks():
        canvas.line(x_of(tick), TOP, x_of(tick), bottom)
        if x_of(tick) - named >= ROOM:
            named = x_of(tick)
            canvas.text(named, bottom + 20, number(tick), "middle")
    canvas.line(left, bottom, right, bottom, "axis")
    canvas.text((left + right) / 2, bottom + 42, x_title, "middle")
    for each in series:
        for x, row in each.points:
            canvas.dot(x_of(x), TOP + step * (row + 0.5), each.colour, each.floor)
    for i, each in enumerate(series):
        canvas.dot(right + 35, TOP + 8 + 24 * i, each.colour, each.floor)
        canvas.text(right + 50, TOP + 12 + 24 * i, each.name)
    return canvas.document()


def stacks(title: str, note: str, x_title: str, bars: dict[str, dict[str, float]],
           parts: dict[str, int]) -> str:
    """A bar for each name, made of parts; `parts`: the colour of each."""
    step, left = 64, 150
    canvas = Canvas(title, note, height=TOP + step * len(bars) + BOTTOM + 26)
    bottom, right = TOP + step * len(bars), WIDTH - RIGHT
    most = max(sum(bar.values()) for bar in bars.values())
    scale = (right - left - 50) / most
    unit = 10 ** math.floor(math.log10(most))
    for tick in range(0, int(most) + 1, int(unit if most / unit >= 4 else max(unit // 2, 1))):
        canvas.line(left + tick * scale, TOP, left + tick * scale, bottom)
        canvas.text(left + tick * scale, bottom + 20, number(tick) if tick else "0", "middle")
    for i, (name, bar) in enumerate(bars.items()):
        y, x = TOP + step * i + 12, float(left)
        canvas.text(left - 10, y + 25, name, "end")
        for part, value in bar.items():
            canvas.rectangle(x, y, value * scale, step - 24, f"part f{parts[part]}")
            x += value * scale
        canvas.text(x + 8, y + 25, f"{sum(bar.values()):.0f}")
    canvas.line(left, TOP, left, bottom, "axis")
    canvas.text((left + right) / 2, bottom + 42, x_title, "middle")
    shown = {part: colour for part, colour in parts.items()
             if any(part in bar for bar in bars.values())}
    for i, (part, colour) in enumerate(shown.items()):
        canvas.rectangle(right + 26, TOP + 24 * i, 16, 16, f"f{colour}")
        canvas.text(right + 50, TOP + 13 + 24 * i, part)
    return canvas.document()
