#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same programs of socket calls on weir and on CPython, in all four pairings: what differs?

Every program runs CPython against CPython first, several times; what varies there is not compared.
What differs then is a row in the table of allowed differences, or a failure.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import os
import pathlib
import subprocess
import sys
import threading
import time

import socket_compare
import socket_generate
import socket_program
from socket_compare import PAIRINGS, REFERENCE
from socket_driver import PEER, Driver

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
RECHECKS = 20  # References more, before anything is called a difference.


@dataclasses.dataclass
class Result:
    """What one program, or all of them, came to."""

    programs: int = 0
    variants: int = 0
    runs: int = 0
    varied: list = dataclasses.field(default_factory=list)  # (program, role, facts)
    allowed: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    failures: list = dataclasses.field(default_factory=list)

    def add(self, other):
        self.programs += other.programs
        self.variants += other.variants
        self.runs += other.runs
        self.varied += other.varied
        self.allowed += other.allowed
        self.failures += other.failures


def version_of(python):
    text = subprocess.run([python, "-c", "import sys; print(*sys.version_info[:2])"], check=True,
                          capture_output=True, text=True).stdout
    return tuple(map(int, text.split()))


class Judge:
    """All pairings of one variant of a program."""

    def __init__(self, driver, program, variant, version):
        self.driver = driver
        self.program = program
        self.variant = variant
        self.version = version
        self.references = []
        self.result = Result(variants=1)

    def run(self, pairing):
        self.result.runs += 1
        return self.driver.run(self.program, self.variant, pairing)

    def add_references(self, count):
        """Whether all of them came to their end."""
        for _ in range(count):
            self.references.append(self.run(REFERENCE))
            stuck = [its["stuck"] for its in self.references[-1].values() if "stuck" in its]
            if stuck and socket_compare.writelines_hangs(self.program, self.version):
                self.result.allowed["writelines-hangs"] += 1
            elif stuck:
                self.result.failures.append(f"{self.program.name}: {self.variant}: CPython against "
                                            f"CPython stuck {stuck[0]}")
            if stuck:
                return False
        return True

    def differences(self, pairing, facts):
        varied = socket_compare.varying(self.references)
        ignored = {role: self.program.varies[role] | varied.get(role, set()) for role in facts}
        return socket_compare.differences(self.program, self.variant, pairing, self.references[0],
                                          facts, ignored)

    def judge(self, repeats):
        if not self.add_references(repeats):
            return self.result
        runs = {pairing: self.run(pairing) for pairing in PAIRINGS[1:]}
        if any(socket_compare.allowed(difference) is None for pairing, facts in runs.items()
               for difference in self.differences(pairing, facts)):
            self.add_references(RECHECKS)
        for pairing, facts in runs.items():
            entries = set()
            for difference in self.differences(pairing, facts):
                entry = socket_compare.allowed(difference)
                if entry is None:
                    self.result.failures.append(str(difference))
                else:
                    entries.add(entry.name)
            self.result.allowed.update(entries)
        self.result.varied = [
            (self.program.name, role, facts)
            for role, facts in socket_compare.varying(self.references).items() if facts]
        return self.result


class Pool:
    """Drivers by thread: most of a run is waiting for processes."""

    def __init__(self, weir, python, jobs):
        self.commands = {"weir": weir, "cpython": [python, str(PEER)]}
        self.version = version_of(python)
        self.local = threading.local()
        self.drivers = []
        self.executor = concurrent.futures.ThreadPoolExecutor(jobs)

    def driver(self):
        if not hasattr(self.local, "driver"):
            self.local.driver = Driver(self.commands)
            self.drivers.append(self.local.driver)
        return self.local.driver

    def judge_all(self, programs, repeats, variants_most):
        """One result a program, in order."""
        def judge_program(number, program):
            result = Result(programs=1)
            variants = program.variants()
            # Few variants: others for each program, so that all are seen.
            step = max(1, len(variants) // variants_most)
            for variant in variants[number % step::step][:variants_most]:
                judge = Judge(self.driver(), program, variant, self.version)
                result.add(judge.judge(repeats))
            return result

        return self.executor.map(judge_program, range(len(programs)), programs)

    def close(self):
        """Texts about performers that did not end well."""
        self.executor.shutdown()
        bad = []
        for driver in self.drivers:
            with driver:
                bad += driver.stop()
        return bad


def all_programs(generated, seed):
    text = (HERE / "programs.txt").read_text(encoding="utf-8")
    return socket_program.parse(text, "programs.txt") + [
        socket_generate.program(seed + number) for number in range(generated)]


def run_all(weir, python, programs, *, repeats, variants=8, jobs=4, say=lambda *_: None):
    """Everything; `say` hears each program's result. `weir` is a command, as a list."""
    total = Result()
    pool = Pool(weir, python, jobs)
    try:
        for program, result in zip(programs, pool.judge_all(programs, repeats, variants)):
            say(program, result)
            total.add(result)
    finally:
        total.failures += pool.close()
    return total


def print_tables(total):
    print("\nNot compared, because it varied CPython against CPython:")
    grouped = collections.defaultdict(set)
    for name, role, facts in total.varied:
        grouped[name, role] |= facts
    for (name, role), facts in sorted(grouped.items()):
        print(f"  {name}: the {role}'s {', '.join(sorted(facts))}")
    print("" if grouped else "  nothing\n", end="")
    print("\nAllowed differences (rows of docs/asyncio_map.md):")
    for entry in socket_compare.ALLOWED:
        print(f"  {total.allowed[entry.name]:4}  {entry.name}: {entry.reason} [{entry.row}]")
    for failure in total.failures:
        print(f"\nDIFFERENT  {failure}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    build = os.environ.get("WEIR_BUILD_DIR", ROOT / "build" / "gcc")
    parser.add_argument("--weir", type=pathlib.Path,
                        default=pathlib.Path(build) / "tests" / "socket_peer",
                        help="weir's performer (default: the one in $WEIR_BUILD_DIR)")
    parser.add_argument("--python", default=sys.executable,
                        help="the CPython to compare with, 3.10 or later (default: this one)")
    parser.add_argument("--repeats", type=int, default=10,
                        help="runs CPython against CPython (default: 10)")
    parser.add_argument("--variants", type=int, default=8,
                        help="at most so many combinations of socket and styles a program (8: all)")
    parser.add_argument("--random", type=int, default=40, help="so many random programs besides")
    parser.add_argument("--seed", type=int, default=1, help="of the first random program")
    parser.add_argument("--jobs", type=int, default=4, help="programs at a time (default: 4)")
    parser.add_argument("--print", action="store_true", help="only print the programs")
    parser.add_argument("filter", nargs="?", default="", help="only programs whose name has this")
    arguments = parser.parse_args()

    programs = [program for program in all_programs(arguments.random, arguments.seed)
                if arguments.filter in program.name]
    if arguments.print:
        print("\n\n".join(map(str, programs)))
        return 0
    if not arguments.weir.exists():
        parser.error(f"{arguments.weir} is not there: ./dev build first")

    def say(program, result):
        print(f"{'DIFFERENT' if result.failures else 'same':9}  {program.name} "
              f"({result.variants} variants, {result.runs} runs)", flush=True)

    start = time.monotonic()
    total = run_all([str(arguments.weir)], arguments.python, programs, repeats=arguments.repeats,
                    variants=arguments.variants, jobs=arguments.jobs, say=say)
    print_tables(total)
    print(f"\n{total.programs} programs, {total.variants} variants, {total.runs} runs in "
          f"{time.monotonic() - start:.0f} s, {len(total.failures)} differences")
    return 1 if total.failures or not total.programs else 0


if __name__ == "__main__":
    sys.exit(main())
