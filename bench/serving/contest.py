# SPDX-License-Identifier: MIT
"""Everybody in one cell: round by round, in alternating order; disturbed runs are repeated."""

import dataclasses
import statistics

from runs import Run

DISTURBED = 0.06  # Of the machine, used by others.
REPEATS = 2
MOST_REPEATS = 250  # In all.


@dataclasses.dataclass(frozen=True)
class Effort:
    warm_up: float
    seconds: float
    rounds: int | None = None  # What the cell says.


# With everybody, 850 runs in the one and 200 in the other.
FULL = Effort(warm_up=0.2, seconds=0.7)
QUICK = Effort(warm_up=0.1, seconds=0.35, rounds=3)


class Patience:
    """What is left of it: on a machine that others use all the time the end must come, too."""

    def __init__(self, repeats: int = MOST_REPEATS):
        self.repeats = repeats

    def suffices(self) -> bool:
        self.repeats -= 1
        return self.repeats >= 0


def undisturbed(run_once, patience: Patience) -> Run:
    """The first run that had the machine for itself; after so many, the least disturbed."""
    best = run_once()
    for _ in range(REPEATS):
        if best.others <= DISTURBED or not patience.suffices():
            break
        again = run_once()
        if again.others < best.others:
            best = again
    return best


def contest(contestants, rounds: int, run_once, patience: Patience) -> dict[str, list[Run]]:
    """run_once(contestant) for everybody, `rounds` times."""
    seen = {contestant.name: [] for contestant in contestants}
    for number in range(rounds):
        order = contestants if number % 2 == 0 else contestants[::-1]
        for contestant in order:
            seen[contestant.name].append(undisturbed(lambda: run_once(contestant), patience))
    return seen


def summary(runs: list[Run]) -> dict:
    """Medians; of what is compared also the smallest and the largest."""

    def median(field):
        return statistics.median(getattr(run, field) for run in runs)

    return {
        "cpu_ns": median("cpu_ns"),
        "cpu_ns_min": min(run.cpu_ns for run in runs),
        "cpu_ns_max": max(run.cpu_ns for run in runs),
        "rate": median("rate"),
        "rate_min": min(run.rate for run in runs),
        "rate_max": max(run.rate for run in runs),
        "p50_us": median("p50_us"),
        "p99_us": median("p99_us"),
        "p999_us": median("p999_us"),
        "runs": len(runs),
        "disturbed": sum(run.others > DISTURBED for run in runs),
    }
