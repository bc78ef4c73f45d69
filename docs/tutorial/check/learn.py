#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`./dev learn`: hands out the exercises of docs/tutorial, checks what you have made of them."""

import argparse
import concurrent.futures
import difflib
import os
import pathlib
import shutil
import sys
import textwrap

import steps
from program import ROOT, sources

LEARN = pathlib.Path(os.environ.get("LEARN_DIR", ROOT / "learn"))
SANITIZED = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def fail(text: str) -> None:
    sys.exit(f"learn: {text}")


def shown(path: pathlib.Path) -> str:
    """A path as one would type it."""
    return os.path.relpath(path)


def step_called(number: int) -> steps.Step:
    for step in steps.all_steps():
        if step.number == number:
            return step
    return fail(f"there is no step {number}: the steps are 1 to {len(steps.all_steps())}")


def folder_of(step: steps.Step) -> pathlib.Path:
    return LEARN / step.folder.name


# ---- list


def show_list(_) -> int:
    for step in steps.all_steps():
        mine = folder_of(step)
        state = shown(mine) if mine.is_dir() else "not started"
        print(f"  {step.number}  {step.title:18}{state}")
    print("Begin with docs/tutorial/README.md. ./dev learn start N, then ./dev learn check N.")
    return 0


# ---- start


def start(arguments) -> int:
    step = step_called(arguments.step)
    mine = folder_of(step)
    if mine.exists():
        fail(f"{shown(mine)} is there already. To begin again, move it away.")
    mine.mkdir(parents=True)
    variant = step.variants()["start"]
    for name, path in step.files("start").items():
        shutil.copyfile(path, mine / name)
    yours = " and ".join(sorted(shown(mine / name) for name in sources(variant)))
    print(f"The task: {shown(step.folder / 'README.md')}, at its end.",
          f"Change   {yours}",
          f"Then say ./dev learn check {step.number}", sep="\n")
    return 0


# ---- check


def report(step: steps.Step, outcome: steps.Outcome, total: int) -> bool:
    """One line for a program, and the hint if there is one. True if it passed."""
    label = f"step {step.number}, {step.title}"
    if not outcome.name:
        print(f"{label}: all {total} checks passed")
        return True
    print(f"{label}: FAILED at check {outcome.passed + 1} of {total}: {outcome.what}")
    if outcome.name == "compiler":
        print(outcome.text)
    else:
        for line in outcome.text.splitlines():
            print(textwrap.fill(line, 96, initial_indent="    ", subsequent_indent="    "))
    return False


def check_mine(arguments, flags: list[str]) -> int:
    started = [step.number for step in steps.all_steps() if folder_of(step).is_dir()]
    last = arguments.step or max(started, default=0)
    if last == 0:
        fail("nothing is started yet: ./dev learn start 1")
    if not folder_of(step_called(last)).is_dir():
        fail(f"step {last} is not started: ./dev learn start {last}")
    results = []
    for step in steps.all_steps()[:last]:
        if not folder_of(step).is_dir():
            print(f"step {step.number}, {step.title}: not started")
            continue
        checks = step.module.EXERCISE
        outcome = steps.put_through(sources(folder_of(step)), checks, flags)
        results.append(report(step, outcome, len(checks)))
    return add_up(results)


def check_own(arguments, flags: list[str]) -> int:
    """A program that somebody has written from nothing does what this step and those before do."""
    folder = pathlib.Path(arguments.own)
    if not arguments.step:
        fail("--own wants the number of a step")
    if not sources(folder):
        fail(f"there is no C++ in {folder}")
    step = step_called(arguments.step)
    outcome = steps.put_through(sources(folder), step.checks(), flags)
    return add_up([report(step, outcome, len(step.checks()))])


def check_all(flags: list[str]) -> int:
    results = []
    with concurrent.futures.ThreadPoolExecutor(8 * (os.cpu_count() or 1)) as pool:
        running = [(claim, pool.submit(claim.violation, flags)) for claim in steps.claims()]
        for claim, future in running:
            violation = future.result()
            print(claim.in_words() + (": FAILED" if violation else ""))
            if violation:
                print(textwrap.indent(violation, "    "))
            results.append(not violation)
    return add_up(results)


def add_up(results: list[bool]) -> int:
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


def check(arguments) -> int:
    flags = SANITIZED if arguments.asan else []
    if arguments.all:
        return check_all(flags)
    return check_own(arguments, flags) if arguments.own else check_mine(arguments, flags)


# ---- diff


def diff(arguments) -> int:
    """What a step changes in the one before."""
    new = step_called(arguments.step)
    if new.number == 1:
        fail("step 1 is the first")
    old = step_called(new.number - 1)
    for name in sorted(old.files().keys() | new.files().keys()):
        texts = [step.files()[name].read_text(encoding="utf-8").splitlines(keepends=True)
                 if name in step.files() else [] for step in (old, new)]
        sys.stdout.writelines(difflib.unified_diff(*texts, f"{old.folder.name}/{name}",
                                                   f"{new.folder.name}/{name}"))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev learn", description=__doc__)
    commands = parser.add_subparsers()
    parser.set_defaults(run=show_list)
    command = commands.add_parser("start", help="begin the exercise of a step, in learn/")
    command.add_argument("step", type=int)
    command.set_defaults(run=start)
    command = commands.add_parser("check", help="check your exercises, up to this step")
    command.add_argument("step", type=int, nargs="?")
    command.add_argument("--own", metavar="FOLDER", help="instead, a program of your own that "
                         "does what the step does")
    command.add_argument("--asan", action="store_true", help="with sanitizers")
    command.add_argument("--all", action="store_true", help="instead, the tutorial itself")
    command.set_defaults(run=check)
    command = commands.add_parser("diff", help="what a step changes in the one before")
    command.add_argument("step", type=int)
    command.set_defaults(run=diff)
    arguments = parser.parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
