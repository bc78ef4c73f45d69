#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants the bugs of the catalogue in weir, one at a time: the tests that name one must notice.

The tests run first without the bug, and must pass; then with it, and one of them must fail, crash
or not end.
"""

import argparse
import concurrent.futures
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import catalogue
from planted_bugs import BUGS, Bug
from planting import BuildFailed, DoesNotApply, build, planted_file

ROOT = catalogue.ROOT
SECONDS = 10  # A test that has not ended then, and ten times what it took without the bug, hangs.
MEMORY = 8 << 30  # For what a bug piles up without an end.
LAYERS = ("probes", "reactor", "net", "streams")  # The program of each links those before it.


class Ended(NamedTuple):
    how: str  # "passed", or what was wrong
    cases: int
    seconds: float


def limit_resources() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_cases(program: pathlib.Path, names: list[str], work: pathlib.Path,
              seconds: float) -> Ended:
    """Runs these cases of a program."""
    summary = work / "summary"
    summary.unlink(missing_ok=True)
    filters = ",".join(name.replace(",", "\\,") for name in names)
    start = time.monotonic()
    with subprocess.Popen([str(program), f"--test-case={filters}", "--minimal=true",
                           f"--weir-summary={summary}"],
                          cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True,
                          preexec_fn=limit_resources) as process:
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # Also what it has forked.
            except ProcessLookupError:
                pass
    took = time.monotonic() - start
    lines = summary.read_text(encoding="utf-8").splitlines() if summary.exists() else []
    count = sum(line.startswith(("passed\t", "failed\t")) for line in lines)
    if status is None:
        return Ended(f"no end in {seconds:.0f} s", count, took)
    if status == 0 and "end" in lines:
        return Ended("passed", count, took)
    if any(line.startswith("failed\t") for line in lines):
        return Ended("a check failed", count, took)
    return Ended(f"crash (signal {-status})" if status < 0 else f"ended with {status}", count, took)


def links(case: catalogue.Case, source: str) -> bool:
    """Whether the program that has the case links what is made of the source."""
    layer, folder = pathlib.PurePath(source).parts[0], pathlib.PurePath(case.source).parts[1]
    if layer not in LAYERS or folder not in LAYERS:
        return True
    return LAYERS.index(layer) <= LAYERS.index(folder)


class Hunt:
    """One planted bug, and the tests that are to notice it."""

    def __init__(self, planted: Bug, build_folder: pathlib.Path) -> None:
        self.planted = planted
        self.folder = build_folder
        self.cases = [case for case in catalogue.cases()
                      if planted.bug in case.bugs and links(case, planted.patch.source)]

    def targets(self) -> list[str]:
        return sorted({f"tests/{case.program}" for case in self.cases})

    def run(self) -> tuple[bool, str]:
        """Whether it was found, and how."""
        try:
            for target in self.targets():
                with tempfile.TemporaryDirectory() as work:
                    killed, how = self.run_target(target, pathlib.Path(work))
                if killed:
                    break
            return killed, how
        except (BuildFailed, OSError) as error:
            return False, f"does not build:\n{error}"

    def run_target(self, target: str, work: pathlib.Path) -> tuple[bool, str]:
        chosen = [case for case in self.cases if f"tests/{case.program}" == target]
        names = [case.name for case in chosen]
        healthy = run_cases(self.folder / target, names, work, 60)
        if healthy.how != "passed" or healthy.cases < len(names):
            return False, f"without the bug: {healthy.how}, {healthy.cases} cases ran"
        files = sorted({case.source for case in chosen})
        try:
            program = build(self.folder, target, self.planted.patch, work,
                            (*self.planted.compile_too, *files))
        except BuildFailed as error:
            if not self.planted.refused:
                raise
            return True, "refused: " + first_error(str(error))
        ended = run_cases(program, names, work, SECONDS + 10 * healthy.seconds)
        return ended.how != "passed", f"{ended.how}, {ended.seconds:.1f} s"


def first_error(text: str) -> str:
    return next((line for line in text.splitlines() if "error:" in line), "?")


def choose(only: list[str]) -> list[Bug]:
    unknown = set(only) - {planted.bug for planted in BUGS}
    if unknown:
        sys.exit(f"mutants: no planted bug is called {', '.join(sorted(unknown))}")
    return [planted for planted in BUGS if not only or planted.bug in only]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/debug")
    parser.add_argument("--only", action="append", default=[], metavar="BUG")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    hunts = [Hunt(planted, options.build.resolve()) for planted in choose(options.only)]
    for hunt in hunts:
        try:
            planted_file(hunt.planted.patch)
        except DoesNotApply as error:
            sys.exit(f"mutants: {hunt.planted.bug}: {error}")
        if not hunt.cases:
            sys.exit(f"mutants: no test names {hunt.planted.bug}")
    targets = sorted({target for hunt in hunts for target in hunt.targets()})
    if subprocess.run(["ninja", "--quiet", "-C", str(options.build), "-j", str(options.jobs),
                       *targets], stdout=sys.stderr).returncode != 0:
        sys.exit("mutants: the build failed")

    killed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for hunt, (found, how) in zip(hunts, pool.map(Hunt.run, hunts)):
            killed += found
            print(f"{hunt.planted.bug}  {'killed' if found else 'SURVIVED':8}  "
                  f"{hunt.planted.patch.source}: {how}", flush=True)
    print(f"{killed} killed, {len(hunts) - killed} survived")
    return 0 if killed == len(hunts) > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
