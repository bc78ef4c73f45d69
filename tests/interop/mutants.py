#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants bugs in a copy of the reader, one at a time; ./dev interop must find each in ten seconds.

The library as it is built serves: only the file with the bug is compiled again, and linked before
it.
"""

import argparse
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STATE = "streams/reader_state.cpp"
SEARCH = "streams/reader_search.cpp"
SECONDS = 10


class Mutant(NamedTuple):
    name: str
    source: str
    inside: str  # The function: what its definition begins with.
    old: str  # One place in it; blanks and line breaks do not count.
    new: str


MUTANTS = (
    Mutant("the limit is off by one", SEARCH, "Verdict ReaderState::look_for(",
           "match.start > limit", "match.start >= limit"),
    Mutant("the limit is off by one where nothing is found", SEARCH,
           "Verdict ReaderState::look_for(", "amount_ > limit", "amount_ >= limit"),
    Mutant("the transport resumes below the limit only", STATE, "void ReaderState::resume_if_low(",
           "buffer_.size() > limit_", "buffer_.size() >= limit_"),
    Mutant("a cancelled read stays the waiter", STATE,
           "const Parked::Kind ReaderState::wait_parked",
           "if (reader.waiter_ == &node) reader.waiter_ = nullptr;", ""),
    Mutant("the scan offset is lost", SEARCH, "Verdict ReaderState::look_until(",
           "if (memo_.is_set || memo_.key != separator) [[unlikely]]", ""),
    Mutant("the end is looked at before the overrun", SEARCH, "Verdict ReaderState::look_for(",
           "if (amount_ > limit) return", "if (!eof_ && amount_ > limit) return"),
    Mutant("readline leaves the newline of what it discards", STATE,
           "void ReaderState::discard_overrun(", "amount_ + 1", "amount_"),
    Mutant("readline discards one byte too many", STATE, "void ReaderState::discard_overrun(",
           "amount_ + 1", "std::min(amount_ + 2, buffer_.size())"),
    Mutant("two read(-1) share what they collect", STATE, "Verdict ReaderState::look_read(",
           "if (collects) collect(read);", "collect(read);"),
)


class DoesNotApply(Exception):
    pass


def function_of(text: str, mutant: Mutant) -> tuple[int, int]:
    """Where the definition that begins so lies: up to the brace in the first column."""
    inside = mutant.inside
    starts = [match.start() for match in re.finditer(re.escape(inside), text)]
    if len(starts) != 1:
        raise DoesNotApply(f"{inside!r} is {len(starts)} times in {mutant.source}")
    end = text.find("\n}", starts[0])
    if end < 0:
        raise DoesNotApply(f"{inside!r} has no end")
    return starts[0], end


def planted(text: str, mutant: Mutant) -> str:
    """The source with the bug."""
    start, end = function_of(text, mutant)
    tokens = re.findall(r"\w+|[^\w\s]", mutant.old)
    pattern = re.compile(r"(?<!\w)" * tokens[0][0].isalnum() +
                         r"\s*".join(map(re.escape, tokens)) +
                         r"(?!\w)" * tokens[-1][-1].isalnum())
    found = pattern.findall(text[start:end])
    if len(found) != 1:
        raise DoesNotApply(f"{mutant.name}: {mutant.old!r} is {len(found)} times in "
                           f"{mutant.inside!r} of {mutant.source}: follow the source, please")
    body = pattern.sub(lambda _: mutant.new, text[start:end])
    return text[:start] + body + text[end:]


def run(command: list[str], folder: pathlib.Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"mutants: {shlex.join(command)}\n{done.stdout}{done.stderr}")


def with_files(command: list[str], source: pathlib.Path, output: pathlib.Path) -> list[str]:
    """A compiler's command for other files, without what it notes down for ninja."""
    words, changed = iter(command), []
    for word in words:
        if word in ("-MQ", "-MF"):
            next(words)
        elif word in ("-c", "-o"):
            changed += [word, str(source if word == "-c" else output)]
            next(words)
        elif word != "-MD":
            changed.append(word)
    return changed


def build(folder: pathlib.Path, target: str, mutant: Mutant,
          source: pathlib.Path) -> pathlib.Path:
    """The program as it is built in `folder`, with `source` for the mutant's file."""
    entries = json.loads((folder / "compile_commands.json").read_text(encoding="utf-8"))
    command = next(entry["command"] for entry in entries if entry["file"].endswith(mutant.source))
    compiled = source.with_suffix(".o")
    run([*with_files(shlex.split(command), source, compiled), "-w"], folder)

    commands = subprocess.run(["ninja", "-t", "commands", target], cwd=folder, capture_output=True,
                              check=True, text=True).stdout
    link = shlex.split(commands.splitlines()[-1])
    program = source.with_name(pathlib.Path(target).name)
    link[link.index("-o") + 1] = str(program)
    link.insert(link.index("-o") + 2, str(compiled))  # The library's own is not asked for any more.
    run(link, folder)
    return program


def hunt(mutant: Mutant, build_folder: pathlib.Path, options) -> bool:
    """Whether ./dev interop finds it in time; prints what it found."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, pathlib.Path(mutant.source).name)
        text = (ROOT / mutant.source).read_text(encoding="utf-8")
        source.write_text(planted(text, mutant), encoding="utf-8")
        runner = build(build_folder, "tests/interop_runner", mutant, source)
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(HERE / "interop.py"), "--runner", str(runner), "--tier", "random",
             "--seconds", str(SECONDS), "--no-validation", "--failures", "1",
             "--jobs", str(options.jobs), "--python", options.python, "--seed", options.seed],
            capture_output=True, text=True)
        took = time.monotonic() - start
    found = re.search(r"DIFFERENT after ([\d.]+) s: (?s:.+?)(?=DIFFERENT|\Z)", done.stdout)
    if done.returncode != 1 or not found:
        print(f"NOT FOUND: {mutant.name} ({took:.1f} s)\n{done.stdout}{done.stderr}")
        return False
    print(f"found: {mutant.name}\n{found[0].rstrip()}", flush=True)
    return float(found[1]) <= SECONDS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/gcc")
    parser.add_argument("--python", default="python3")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    found = [hunt(mutant, options.build.resolve(), options) for mutant in MUTANTS]
    print(f"{sum(found)} of {len(found)} planted bugs found, each within {SECONDS} s")
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
