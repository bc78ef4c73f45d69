# SPDX-License-Identifier: MIT
"""What a request costs weir's servers, over loopback: instructions of the server in user space."""

import os
import pathlib
import sys

from counts import Failed

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "serving"))

import costs  # noqa: E402
from field import own  # noqa: E402
from runs import RunError  # noqa: E402

BATCHES = {1: 2000, 128: 100}  # By depth.
LEFT_OUT = ("weir lines, views", costs.LINES_1)  # As "streams, views", which are lines, too.


def measure(programs: pathlib.Path) -> dict[str, dict[str, float]]:
    """By cell, instructions per request: to echo 64 bytes, or a line of 64."""
    os.environ["WEIR_SIMD"] = "avx2"
    servers = {one.name: one for one in own(programs)}
    found = {}
    for wanted in costs.INSTRUCTIONS:
        if (wanted.contestant, wanted.cell) == LEFT_OUT:
            continue
        try:
            count = costs.instructions(
                programs, servers[wanted.contestant], wanted.cell, BATCHES[wanted.cell.depth]
            )
        except RunError as error:
            raise Failed(f"{wanted.contestant}: {error}") from None
        found[f"served {wanted.cell}, {wanted.contestant}"] = {"instructions": count}
    return found
