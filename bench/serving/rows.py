# SPDX-License-Identifier: MIT
"""What was wanted, what was measured, and the verdict."""

from typing import NamedTuple


class Row(NamedTuple):
    line: int  # Rows that belong together have one number.
    text: str
    measured: float | None  # None: this run has not measured it.
    wanted: float
    at_least: bool = False  # Otherwise: at most.

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not measured"
        met = self.measured >= self.wanted if self.at_least else self.measured <= self.wanted
        return "met" if met else "NOT MET"


def figure(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def bound(row: Row) -> str:
    return ("≥ " if row.at_least else "≤ ") + figure(row.wanted)


def totals(rows: list[Row]) -> str:
    met, missed, absent = (
        sum(row.verdict == verdict for row in rows)
        for verdict in ("met", "NOT MET", "not measured")
    )
    return f"{met} met, {missed} not met, {absent} not measured"


def as_text(rows: list[Row]) -> list[str]:
    lines = [f"{'':4}{'':70}{'measured':>9}{'wanted':>9}"]
    for row in rows:
        lines.append(
            f"{row.line:>2}  {row.text:70}{figure(row.measured):>9}{bound(row):>9}  {row.verdict}"
        )
    return [*lines, totals(rows)]


def as_markdown(rows: list[Row]) -> list[str]:
    lines = ["| | | measured | wanted | |", "|---|---|---:|---:|---|"]
    for row in rows:
        verdict = f"**{row.verdict}**" if row.verdict == "NOT MET" else row.verdict
        figures = f"{figure(row.measured)} | {bound(row)} | {verdict}"
        lines.append(f"| {row.line} | {row.text} | {figures} |")
    return [*lines, "", totals(rows) + "."]
