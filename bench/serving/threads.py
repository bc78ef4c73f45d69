# SPDX-License-Identifier: MIT
"""Two loops on two threads, compared with one loop."""

import pathlib
import statistics

from contest import Effort, Patience, undisturbed
from field import Cell, Contestant
from runs import RunError, Server, cores, finish_load, of_load, start_load
from wanted import Row

CELLS = (Cell("echo", 64, 64, 1), Cell("echo", 64, 1000, 1))
AT_MOST = 1.25
FAIREST_SHARE = 0.6  # Of the loop that has more.


def contestants(programs: pathlib.Path) -> dict[str, Contestant]:
    return {
        "one": Contestant("one loop", "echo", (str(programs / "weir_echo_protocol"),)),
        "two": Contestant("two loops", "echo", (str(programs / "weir_threads"), "2")),
    }


def run(programs: pathlib.Path, contestant: Contestant, cell: Cell, effort: Effort):
    """The server may use every core, as a server with threads does; the client has one."""
    with Server(contestant.command) as server:
        load = start_load(
            programs,
            server.port,
            cell,
            *("--server", server.pid, "--warm-up", effort.warm_up, "--seconds", effort.seconds),
            core=cores()[1],
        )
        seen = of_load(finish_load(load))
        return seen, server.stop()


def larger_share(said: str) -> float:
    """`connections: 500 500`, as weir_threads says when it is stopped."""
    word, _, counts = said.strip().partition(":")
    if word != "connections":
        raise RunError(f"weir_threads said {said!r}")
    each = [int(count) for count in counts.split()]
    return max(each) / sum(each)


def two_loops(
    programs: pathlib.Path, effort: Effort, rounds: int, patience: Patience
) -> list[Row]:
    both = contestants(programs)
    found = []
    for cell in CELLS:
        cost: dict[str, list[float]] = {name: [] for name in both}
        rate: dict[str, list[float]] = {name: [] for name in both}
        shares = []

        def one_run(name):
            seen, said = run(programs, both[name], cell, effort)
            if name == "two":
                shares.append(larger_share(said))
            return seen

        for number in range(rounds):
            for name in list(both)[:: 1 if number % 2 == 0 else -1]:
                best = undisturbed(lambda: one_run(name), patience)
                cost[name].append(best.cpu_ns)
                rate[name].append(best.rate)
        for what, seen, bound in (("CPU a request", cost, AT_MOST), ("rate", rate, None)):
            measured = statistics.median(seen["two"]) / statistics.median(seen["one"])
            found.append(Row(9, f"two loops / one loop, {what}, {cell}", measured, bound))
    claim = f"two loops: of {CELLS[-1].connections:,} connections, the larger share"
    return [*found, Row(9, claim, max(shares), FAIREST_SHARE)]
