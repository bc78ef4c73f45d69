# SPDX-License-Identifier: MIT
"""The two runners as processes, what is said about two traces, and how a script is made smaller."""

import pathlib
import subprocess
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import language
from differences import UNKNOWN_SIZE
from model import ALL, ReaderModel

HERE = pathlib.Path(__file__).resolve().parent
MODEL = "--model"

Script = list[str]  # The header and the operations, a line each.
Trace = list[str]  # As many lines.


class RunnerDied(Exception):
    pass


class Runner:
    """A process that performs batches of scripts. A runner answers when it has read all of them."""

    def __init__(self, name: str, command: Sequence[str]):
        self.name = name
        self._command = command
        self._process = None

    def send(self, scripts: Sequence[Script]) -> None:
        if self._process is None:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE,
                                             stdout=subprocess.PIPE)
        lines = [line for script in scripts for line in script]
        try:
            self._process.stdin.write(("\n".join(lines) + f"\n{language.DONE}\n").encode("ascii"))
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # receive() hears of it.

    def receive(self, scripts: Sequence[Script]) -> list[Trace]:
        end = f"\n{language.DONE}\n".encode("ascii")
        received = bytearray()
        while not received.endswith(end):
            piece = self._process.stdout.read1(1 << 20)
            if not piece:
                raise RunnerDied(f"{self.name} ended with status {self.stop()}")
            received += piece
        lines = received[:-len(end)].decode("ascii").split("\n")
        traces, at = [], 0
        for script in scripts:
            traces.append(lines[at:at + len(script)])
            at += len(script)
        if at != len(lines):
            raise RunnerDied(f"{self.name} wrote {len(lines)} lines for {at}")
        return traces

    def run(self, scripts: Sequence[Script]) -> list[Trace]:
        self.send(scripts)
        return self.receive(scripts)

    def stop(self) -> int:
        """The exit status. The next batch starts it anew."""
        process, self._process = self._process, None
        if process is None:
            return 0
        for pipe in (process.stdin, process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        return process.wait()


class Verdict(NamedTuple):
    problem: str = ""  # Why the two traces must not differ as they do.
    struck: frozenset[str] = frozenset()  # The differences that are meant.


SAME = Verdict()


def judge(script: Script, theirs: Trace, ours: Trace, version: tuple[int, int]) -> Verdict:
    """Allowed is what the model tells line by line: CPython's trace without any difference, weir's
    with all of them."""
    if theirs == ours:
        return SAME
    limit = language.limit_of(script[0])
    operations = [language.Operation(line) for line in script[1:]]
    if ReaderModel(limit, version=version).run(operations) != theirs:
        return Verdict("the model does not tell CPython's trace")
    model = ReaderModel(limit, ALL)
    told = model.run(operations)
    struck = frozenset(model.struck)
    if not struck and version < (3, 8):
        struck = frozenset([UNKNOWN_SIZE])  # A text, and nothing that the model does otherwise.
    if not struck:
        return Verdict("no named difference explains it")
    if told != ours:
        return Verdict(f"{', '.join(sorted(struck))} would look otherwise")
    return Verdict(struck=struck)


class Pair:
    """CPython's runner, or the model, against another one."""

    def __init__(self, theirs: Runner, ours: Runner, version: tuple[int, int]):
        self.theirs = theirs
        self.ours = ours
        self.version = version

    def traces(self, scripts: Sequence[Script]):
        """Of both, at the same time. Of scripts after one that kills our runner nothing is known:
        they count as equal."""
        self.theirs.send(scripts)
        self.ours.send(scripts)
        theirs = self.theirs.receive(scripts)
        try:
            return theirs, self.ours.receive(scripts)
        except RunnerDied as death:
            if len(scripts) == 1:
                return theirs, [[str(death)]]
        ours = list(theirs)
        for at, script in enumerate(scripts):
            try:
                ours[at:at + 1] = self.ours.run([script])
            except RunnerDied as death:
                ours[at] = [str(death)]
                break
        return theirs, ours

    def problem_of(self, script: Script) -> str:
        (theirs,), (ours,) = self.traces([script])
        return judge(script, theirs, ours, self.version).problem

    def shrink(self, script: Script) -> Script:
        """The smallest script, going step by step, that still is a problem."""
        while True:
            for smaller in smaller_scripts(script):
                if self.problem_of(smaller):
                    script = smaller
                    break
            else:
                return script

    def stop(self) -> None:
        self.theirs.stop()
        self.ours.stop()


def smaller_scripts(script: Script) -> Iterator[Script]:
    """Without one operation; then with a pass more; then with less to feed."""
    header, lines = script[0], script[1:]
    for size in (len(lines) // 2, 1):
        for at in range(len(lines) - size, -1, -1):
            if 0 < size < len(lines):
                yield [header, *lines[:at], *lines[at + size:]]
    if header.endswith(" lent"):
        yield [header[:-len(" lent")], *lines]
    for at, line in enumerate(lines):
        if line.endswith(" &"):
            yield [header, *lines[:at], line[:-2], *lines[at + 1:]]
    for at, line in enumerate(lines):
        word = line[len("feed "):].replace(" &", "")
        if line.startswith("feed ") and len(word) > 2 and "*" not in word:
            cut = 2 if word.startswith("\\n") else 1
            yield [header, *lines[:at], line.replace(word, word[cut:]), *lines[at + 1:]]


def side_by_side(script: Script, theirs: Trace, ours: Trace, names=("CPython", "weir")) -> str:
    """The script with what each side said; one line where they agree."""
    text = []
    for at, line in enumerate(script):
        left = theirs[at] if at < len(theirs) else "nothing"
        right = ours[at] if at < len(ours) else "nothing"
        text.append(f"  {line}")
        if left == right:
            text.append(f"      both     {left}")
        else:
            text.append(f"      {names[0]:8} {left}")
            text.append(f"      {names[1]:8} {right}")
    return "\n".join(text)
