#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same scripts with asyncio's StreamReader and with weir's; see README.md.

Prints what was performed and which differences struck; exits with 1 if a script ends differently in
a way that no named difference explains, and shows the smallest such script.
"""

import argparse
import collections
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import generator
import language
from compare import HERE, MODEL, Pair, Runner, judge, side_by_side

BATCH = 500  # Scripts.
VALIDATION_SCRIPTS = 10_000


def version_of(python: str) -> tuple[int, ...]:
    """(3, 11, 7)."""
    text = subprocess.run([python, "-c", "import sys; print(*sys.version_info[:3])"],
                          capture_output=True, check=True, text=True).stdout
    return tuple(map(int, text.split()))


class Python:
    """An interpreter to compare with."""

    def __init__(self, path: str):
        self.path = path
        self.version = version_of(path)
        self.name = "CPython " + ".".join(map(str, self.version))

    def runner(self, *options: str) -> Runner:
        name = "the model" if MODEL in options else self.name
        return Runner(name, [self.path, str(HERE / "cpython_runner.py"), *options])

    def has_sets(self) -> bool:
        """Of separators."""
        return self.version >= (3, 13)


def find_newer_python() -> Python | None:
    """One with sets of separators: on the path, or pyenv's."""
    found = [shutil.which(f"python3.{minor}") for minor in range(13, 20)]
    root = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv"))
    found += [str(path) for path in sorted(root.glob("versions/3.1[3-9]*/bin/python3"))]
    for path in filter(None, found):
        try:
            python = Python(path)
        except (OSError, subprocess.CalledProcessError):
            continue  # pyenv's shims stand for versions that are not chosen.
        if python.has_sets():
            return python
    return None


class Comparison:
    """Performs streams of scripts, some processes at a time, and judges."""

    def __init__(self, make_pair, jobs: int, max_failures: int = 1):
        self._make_pair = make_pair
        self._jobs = jobs
        self._max_failures = max_failures  # Then it stops.
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.scripts = 0
        self.operations = 0
        self.with_sets = 0
        self.differing = 0
        self.struck: collections.Counter[str] = collections.Counter()
        self.failures: list[str] = []
        self.broken: list[BaseException] = []

    def run(self, streams, seconds: float = float("inf")) -> float:
        """`streams`: iterators of scripts. Until they are empty, the time is up or it has failed;
        how long that took."""
        start = time.monotonic()
        streams = iter(streams)

        def work():
            pair = self._make_pair()
            try:
                while not self._stop.is_set():
                    with self._lock:
                        stream = next(streams, None)
                    if stream is None:
                        break
                    while batch := list(itertools.islice(stream, BATCH)):
                        self._compare(pair, batch, start)
                        if self._stop.is_set() or time.monotonic() - start >= seconds:
                            return
            except BaseException as error:  # pylint: disable=broad-except
                self.broken.append(error)
                self._stop.set()
            finally:
                pair.stop()

        threads = [threading.Thread(target=work) for _ in range(self._jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.broken:
            raise self.broken[0]
        return time.monotonic() - start

    def _compare(self, pair: Pair, batch, start: float) -> None:
        struck: collections.Counter[str] = collections.Counter()
        differing = 0
        for script, theirs, ours in zip(batch, *pair.traces(batch)):
            if theirs == ours:
                continue
            differing += 1
            verdict = judge(script, theirs, ours, pair.version)
            struck.update(verdict.struck)
            if verdict.problem:
                self._fail(pair, script, start)
                if self._stop.is_set():
                    break
        with self._lock:
            self.scripts += len(batch)
            self.operations += sum(map(len, batch)) - len(batch)
            self.with_sets += sum(map(language.has_set, batch))
            self.differing += differing
            self.struck.update(struck)

    def _fail(self, pair: Pair, script, start: float) -> None:
        found = time.monotonic() - start
        script = pair.shrink(script)
        (theirs,), (ours,) = pair.traces([script])
        problem = judge(script, theirs, ours, pair.version).problem
        with self._lock:
            text = side_by_side(script, theirs, ours, ("CPython", pair.ours.name))
            if text not in "\n".join(self.failures):
                self.failures.append(f"after {found:.1f} s: {problem}\n{text}")
            if len(self.failures) >= self._max_failures:
                self._stop.set()

    def report(self, tier: str, seconds: float) -> None:
        print(f"{tier}: {self.scripts} scripts, {self.operations} operations in {seconds:.1f} s; "
              f"{self.differing} differ, {len(self.failures)} of them unexplained", flush=True)
        for name, count in sorted(self.struck.items()):
            print(f"  {count:7} {name}")
        for failure in self.failures:
            print(f"DIFFERENT {failure}", flush=True)


def random_streams(seed: int):
    """Without end; each from a seed of its own, so that any number of jobs performs the same."""
    for number in itertools.count():
        dice = generator.Generator(f"{seed}/{number}")
        yield iter(dice.batch(BATCH))


def exhaustive_streams():
    for limit, first in itertools.product(generator.EXHAUSTIVE_LIMITS, generator.EXHAUSTIVE):
        yield generator.exhaustive(limit, first)
        yield generator.interleaved(limit, first)


def validate(newer: Python, arguments) -> bool:
    """The model against a CPython that has everything."""
    comparison = Comparison(lambda: Pair(newer.runner(), newer.runner(MODEL), newer.version[:2]),
                            arguments.jobs)
    count = VALIDATION_SCRIPTS // BATCH
    streams = itertools.islice(random_streams(f"{arguments.seed}/model"), count)
    seconds = comparison.run(streams)
    comparison.report(f"the model against {newer.name}", seconds)
    return not comparison.failures


def compare(python: Python, arguments) -> bool:
    good = True
    tiers = []
    if arguments.tier in ("random", "all"):
        tiers.append(("random", lambda: random_streams(arguments.seed), arguments.seconds))
    if arguments.tier in ("exhaustive", "all"):
        tiers.append(("exhaustive", exhaustive_streams, float("inf")))
    for tier, streams, seconds in tiers:
        comparison = Comparison(
            lambda: Pair(python.runner(), Runner("weir", [str(arguments.runner)]),
                         python.version[:2]), arguments.jobs, arguments.failures)
        took = comparison.run(streams(), seconds)
        comparison.report(tier, took)
        if comparison.with_sets and not python.has_sets():
            print(f"  {python.name} has no sets of separators: {comparison.with_sets} scripts with "
                  "one were compared with the model")
        good = good and not comparison.failures
        if not good:
            break
    return good


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev interop", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for the random scripts")
    parser.add_argument("--seed", default=None)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--python", default="python3", help="which CPython to compare with")
    parser.add_argument("--tier", choices=("random", "exhaustive", "all"), default="all")
    parser.add_argument("--failures", type=int, default=3, help="how many to show, at most")
    parser.add_argument("--no-validation", action="store_true",
                        help="do not look for a CPython 3.13 to check the model with")
    parser.add_argument("--runner", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = str(time.time_ns() % 1_000_000)

    python = Python(arguments.python)
    print(f"{python.name} against weir, seed {arguments.seed}, {arguments.jobs} jobs", flush=True)
    good = True
    newer = python if python.has_sets() else find_newer_python()
    if arguments.no_validation:
        pass
    elif newer:
        good = validate(newer, arguments)
    else:
        print("no CPython 3.13 found: the model that stands in for its sets of separators has not "
              "been validated in this run")
    good = good and compare(python, arguments)
    print("no unexplained difference" if good else "DIFFERENT, as shown")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
