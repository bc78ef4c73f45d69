# SPDX-License-Identifier: MIT
"""Two performers, and a program between them: starts the processes, says every step, asks for the
facts at the end."""

import os
import pathlib
import select
import signal
import subprocess
import tempfile
import time

SECONDS = 15  # For an answer that takes milliseconds.
PEER = pathlib.Path(__file__).with_name("peer.py")


class Stuck(Exception):
    """A performer does not answer: a condition that never comes true, or a process that died."""


class Performer:
    """A process that performs one side of program after program; started again after a kill."""

    def __init__(self, command, seconds):
        self.command = command
        self.seconds = seconds
        self.process = None

    def start(self):
        if self.process is None:
            self.rest = b""
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def ask(self, line):
        """Says a line, returns the answer."""
        self.start()
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise Stuck(f"died before {line!r}") from None
        deadline = time.monotonic() + self.seconds
        output = self.process.stdout.fileno()
        while b"\n" not in self.rest:
            ready, _, _ = select.select([output], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise Stuck(f"no answer to {line!r}")
            got = os.read(output, 65536)
            if not got:
                raise Stuck(f"died of {line!r}")
            self.rest += got
        answer, _, self.rest = self.rest.partition(b"\n")
        return answer.decode()

    def kill(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            stream.close()
        self.process = None

    def stop(self):
        """Ends by itself, so that leak checks run; returns the exit code."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.stdin.close()
        try:
            return process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            process.stdout.close()


class Driver:
    """Performers of both roles, by implementation: a pairing is two of them."""

    def __init__(self, commands, seconds=SECONDS):
        self.performers = {(implementation, role): Performer(command, seconds)
                           for implementation, command in commands.items()
                           for role in ("client", "server")}
        self.folder = tempfile.TemporaryDirectory(prefix="weir-")
        self.runs = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for performer in self.performers.values():
            performer.kill()
        self.folder.cleanup()

    def stop(self):
        """The performers that did not end well, as texts."""
        return [f"{implementation}, {role}: exit code {code}"
                for (implementation, role), performer in self.performers.items()
                if (code := performer.stop()) != 0]

    def run(self, program, variant, pairing):
        """One run: {role: {fact: text}}. `pairing` names who is client and who is server."""
        sides = {"client": self.performers[pairing[0], "client"],
                 "server": self.performers[pairing[1], "server"]}
        killed = set()
        at = "start"
        try:
            self.connect(program, variant, sides)
            for at in program.steps:
                self.step(at, sides, killed)
            facts = {role: self.facts_of(performer.ask("report"))
                     for role, performer in sides.items() if role not in killed}
            for role in facts:
                sides[role].ask("finish")
        except Stuck as stuck:
            # What can be told of a run that did not come to its end: nothing but that.
            facts = {role: {"stuck": f"at '{at}': {stuck}"} for role in sides if role not in killed}
            for performer in sides.values():
                performer.kill()
        return facts

    @staticmethod
    def facts_of(line):
        return dict(field.split("=", 1) for field in line.split("\t"))

    def connect(self, program, variant, sides):
        kind, *styles = variant
        options = {role: " ".join([kind, style, *sorted(program.options[role] - {style})])
                   for role, style in zip(("client", "server"), styles)}
        path = os.path.join(self.folder.name, f"{self.runs}.socket")
        self.runs += 1
        where = sides["server"].ask(f"serve {options['server']} {path}")
        sides["client"].ask(f"connect {options['client']} {where}")
        sides["server"].ask("until made")
        if kind == "unix" and os.path.exists(path):
            os.unlink(path)

    @staticmethod
    def step(step, sides, killed):
        if step.verb == "kill":
            sides[step.role].kill()
            killed.add(step.role)
        else:
            sides[step.role].ask(f"{step.verb} {step.text}")
