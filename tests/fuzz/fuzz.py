#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the targets of the fuzzer side by side; ./dev fuzz builds it and starts this.

What a target finds is kept in build/fuzz/findings, what leads to new code in build/fuzz/corpus.
Exits with 1 if there is a finding.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CORPUS = HERE / "corpus"
KEPT_BYTES = 24 * 1024  # In all targets less than 200 KiB.
KEPT_FILES = 64
# What an input may be long: most of what there is to find is short, and short inputs are fast.
MAX_BYTES = {"reader": 400, "write_buffer": 200, "address": 256, "separator": 256,
             "timer_heap": 300, "transport": 300, "resp": 600}
# A large quarantine costs more than it finds: every input is over before the next one begins.
ENVIRONMENT = {"ASAN_OPTIONS": "quarantine_size_mb=16", "UBSAN_OPTIONS": "print_stacktrace=1",
               "ASAN_SYMBOLIZER_PATH": shutil.which("llvm-symbolizer-19") or ""}


class Result(NamedTuple):
    name: str
    runs: int
    seconds: float
    finding: str  # What the log says of it, or nothing.
    text: str


def run_fuzzer(program: pathlib.Path, name: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [program, f"--target={name}", *arguments], env=ENVIRONMENT | dict(os.environ),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", errors="replace")


def finding_in(log: str) -> str:
    """The claim that did not hold, or the sanitizer's line, and where in weir it was."""
    lines = log.splitlines()
    told = [line for line in lines if re.search(
        r"does not hold|runtime error:|ERROR: (Address|Leak)Sanitizer|timeout after|out-of-memory",
        line)]
    where = [re.sub(r"^\s*#\d+ 0x\w+ in ", "    in ", line).replace(f"{ROOT}/build/fuzz/../../", "")
             for line in lines if re.search(r"^\s*#\d+ .*/(reactor|net|streams|resp_kv)\b", line)]
    return "\n".join((told or lines[-3:]) + where[:6])


def fuzz(name: str, options: argparse.Namespace, folder: pathlib.Path) -> Result:
    new = folder / "corpus" / name
    findings = folder / "findings" / name
    for one in (new, findings):
        one.mkdir(parents=True, exist_ok=True)
    arguments = [f"-max_total_time={options.seconds}", f"-max_len={MAX_BYTES[name]}",
                 "-len_control=20", "-timeout=10", "-print_final_stats=1",
                 f"-artifact_prefix={findings}/"]
    if options.seed:
        arguments.append(f"-seed={options.seed}")
    dictionary = HERE / f"{name}.dict"
    if dictionary.exists():
        arguments.append(f"-dict={dictionary}")
    done = run_fuzzer(options.program, name, *arguments, str(new), str(CORPUS / name))
    runs = re.search(r"number_of_executed_units: (\d+)", done.stdout)
    coverage = re.findall(r" cov: (\d+) ", done.stdout)
    count = int(runs[1]) if runs else 0
    edges = coverage[-1] if coverage else 0
    text = (f"{name}: {count} runs in {options.seconds} s, {edges} edges, "
            f"{len(list(new.iterdir()))} inputs in build/fuzz/corpus/{name}")
    if done.returncode == 0 and count > 0:
        return Result(name, count, options.seconds, "", text + ": nothing found")
    kept = re.search(r"Test unit written to (\S+)", done.stdout)
    again = f"\n    again: {options.program} --target={name} {kept[1]}" if kept else ""
    return Result(name, count, options.seconds, finding_in(done.stdout) + again, text + ": FOUND")


def keep(name: str, options: argparse.Namespace, folder: pathlib.Path) -> str:
    """Makes the committed corpus of what there is: as few files as reach everything."""
    kept = CORPUS / name
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as chosen:
        done = run_fuzzer(options.program, name, "-set_cover_merge=1",
                          f"-max_len={MAX_BYTES[name]}", chosen, str(kept),
                          str(folder / "corpus" / name))
        if done.returncode != 0:
            sys.exit(f"fuzz: the merge of {name} failed\n{done.stdout[-2000:]}")
        size, files = 0, []
        for file in sorted(pathlib.Path(chosen).iterdir(), key=lambda one: one.stat().st_size):
            size += file.stat().st_size
            if size > KEPT_BYTES or len(files) == KEPT_FILES:
                break
            files.append(file)
        for old in kept.iterdir():
            if re.fullmatch(r"[0-9a-f]{40}", old.name):  # Not those with a name of their own.
                old.unlink()
        for file in files:
            shutil.copy(file, kept)
    return f"{name}: {len(list(kept.iterdir()))} inputs in {kept.relative_to(ROOT)}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__)
    parser.add_argument("name", nargs="?", help="a target, or all")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/fuzz/tests/fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true",
                        help="instead, make tests/fuzz/corpus of what was found to be new")
    options = parser.parse_args()
    if options.name != "all" and options.name not in MAX_BYTES:
        parser.error(f"a target, please: all, {', '.join(MAX_BYTES)}")
    names = list(MAX_BYTES) if options.name == "all" else [options.name]
    folder = options.program.resolve().parents[1]
    work = keep if options.keep else fuzz
    results = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for done in pool.map(lambda name: work(name, options, folder), names):
            print(done if options.keep else done.text, flush=True)
            results.append(done)
    if options.keep:
        return 0
    for result in results:
        if result.finding:
            print(f"\n{result.name}:\n{result.finding}")
    found = sum(1 for result in results if result.finding)
    print(f"{len(results)} targets, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
