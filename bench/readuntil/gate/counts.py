# SPDX-License-Identifier: MIT
"""Runs the cells of the gate, and divides what was counted by records and bytes."""

import os
import pathlib
import platform
import resource
import signal
import subprocess
import sys
import tempfile
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import callgrind  # noqa: E402

COUNTS = ("instructions", "scanned", "copied", "allocations", "suspensions", "loads")
# What depends on the compiler and on libc, not on the source alone.
MACHINE_COUNTS = ("instructions", "loads")
# Per byte, or per record.
UNITS = {"instructions": "record", "scanned": "byte", "copied": "byte", "allocations": "record",
         "suspensions": "record", "loads": "byte"}
ALLOCATORS = ("malloc", "free", "_int_malloc", "_int_free", "operator new(unsigned long)",
              "operator delete(void*)", "operator delete(void*, unsigned long)")


SECONDS = 20  # Of the processor, for one program: several times what it needs.


class Failed(Exception):
    pass


class Raw(NamedTuple):
    """What one program said of a cell: with N records, or with 2 N."""

    records: int
    bytes: int
    counted: dict[str, int]


def limit_time() -> None:
    """Of the processor, not of the clock: others may want the machine."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))


def run(command: list[str], **environment: str) -> str:
    """What it wrote. A program that ran out of time has written less."""
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment,
                          preexec_fn=limit_time)
    if done.returncode not in (0, -signal.SIGXCPU):
        raise Failed(f"{command[0]} exited with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def memory(program: pathlib.Path) -> list[tuple[str, Raw]]:
    found = []
    for line in run([str(program)], WEIR_SIMD="avx2").splitlines():
        name, *numbers = line.split("\t")
        records, size, *counted = map(int, numbers)
        found.append((name, Raw(records, size, dict(zip(COUNTS[1:-1], counted)))))
    return found


def instructions(program: pathlib.Path) -> list[tuple[str, Raw, callgrind.Profile]]:
    with tempfile.TemporaryDirectory() as folder:
        run(["valgrind", "--tool=callgrind", "--collect-atstart=no",
             f"--callgrind-out-file={folder}/out", str(program)], WEIR_SIMD="avx2")
        profiles = callgrind.read_all(pathlib.Path(folder))
    found = []
    for profile in profiles:
        name, records, size = profile.label.split("\t")
        found.append((name, Raw(int(records), int(size), {"instructions": profile.total}), profile))
    return found


def loads(program: pathlib.Path) -> dict[str, float]:
    """Of hostile input, how often a byte is loaded; a vector counts for each of its bytes."""
    with tempfile.TemporaryDirectory() as folder:
        trace = pathlib.Path(folder) / "trace"
        said = run(["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-file={trace}",
                    str(program)], WEIR_SIMD="avx2")
        (_, *marks), *inputs = [line.split("\t") for line in said.splitlines()]
        with trace.open(encoding="utf-8") as lines:
            return loads_from(lines, [int(mark) for mark in marks],
                              [(name, int(begin), int(size)) for name, begin, size in inputs])


def loads_from(trace, marks: list[int], inputs: list[tuple[str, int, int]]) -> dict[str, float]:
    """`trace`: lines like " L 1ffefff7c0,8"; " S": stored; " M": loaded and stored. Between a
    store to the first mark and one to the second the next of the inputs (name, begin, size) is
    searched."""
    loaded = {}
    searched = None
    for line in trace:
        if not line.startswith((" L ", " M ", " S ")):
            continue
        address, _, size = line[3:].partition(",")
        at = int(address, 16)
        if at == marks[0]:
            searched = inputs[len(loaded)]
            loaded[searched[0]] = 0
        elif at == marks[1]:
            searched = None
        elif searched and line[1] != "S":
            name, begin, length = searched
            loaded[name] += int(size) if begin <= at < begin + length else 0
    return {name: loaded[name] / size for name, _, size in inputs}


def divide(first: Raw, second: Raw) -> dict[str, float]:
    """(Run of 2 N less run of N) / N."""
    records, size = second.records - first.records, second.bytes - first.bytes
    return {count: (second.counted[count] - first.counted[count]) /
            (records if UNITS[count] == "record" else size) for count in first.counted}


def allocating(profile: callgrind.Profile) -> int:
    return callgrind.inclusive(profile, lambda name: name.split("'")[0] in ALLOCATORS)


class Figures(NamedTuple):
    cells: dict[str, dict[str, float]]
    # Of a cell, what malloc and free take: instructions per record.
    allocator: dict[str, float]
    # Of a cell, instructions per record by function, without those that it calls.
    functions: dict[str, dict[str, float]]
    # Of hostile input, loads per byte.
    loads: dict[str, float]


def measure(folder: pathlib.Path) -> Figures:
    """`folder`: of the programs gate_memory, gate_instructions and gate_loads."""
    cells: dict[str, dict[str, float]] = {}
    allocator, functions = {}, {}
    found = memory(folder / "gate_memory")
    for (name, first), (_, second) in zip(found[::2], found[1::2]):
        cells[name] = divide(first, second)
    profiled = instructions(folder / "gate_instructions")
    for (name, first, before), (_, second, after) in zip(profiled[::2], profiled[1::2]):
        records = second.records - first.records
        cells[name] = divide(first, second) | cells[name]
        allocator[name] = (allocating(after) - allocating(before)) / records
        functions[name] = {function: (cost - before.own[function]) / records
                           for function, cost in after.own.items()}
    loaded = loads(folder / "gate_loads")
    cells |= {f"hostile {name}": {"loads": count} for name, count in loaded.items()}
    return Figures(cells, allocator, functions, loaded)


def made_with(compiler: str) -> dict[str, str]:
    """What instruction counts depend on, beside the source."""
    version = run([compiler, "--version"]).splitlines()[0]
    return {"compiler": version, "libc": " ".join(platform.libc_ver())}
