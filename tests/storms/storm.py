# SPDX-License-Identifier: MIT
"""The programs of a storm as processes: start one, ask it, end it."""

import os
import pathlib
import re
import resource
import select
import socket
import subprocess
import time

BUILD = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", "build/gcc")) / "tests"
PATIENCE = 120  # Seconds, for what should take a few.


class Failure(AssertionError):
    """A storm showed something wrong."""


class Skipped(Exception):
    """This machine does not permit it; the text says what."""


def expect(claim: bool, text: str) -> None:
    if not claim:
        raise Failure(text)


def allow_descriptors(count: int) -> None:
    """For the processes that are started from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise Skipped(f"a process may open {hard} descriptors here, {count} are needed")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class Process:
    """A child that speaks in lines. It does not outlive the `with` that it is used in."""

    def __init__(self, name, *arguments, prefix=()):
        self.name = name
        self.process = subprocess.Popen(
            [*prefix, str(BUILD / name), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._unread = b""

    def line(self, seconds: float = PATIENCE) -> str:
        """The next line that it says."""
        end = time.monotonic() + seconds
        while b"\n" not in self._unread:
            left = end - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            if not ready:
                raise Failure(f"{self.name} has said nothing for {seconds} s")
            more = os.read(self.process.stdout.fileno(), 4096)
            if not more:
                code, _, err = self.end()
                raise Failure(f"{self.name} ended with {code}: {err}")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def ask(self, question: str, seconds: float = PATIENCE) -> str:
        self.process.stdin.write(question.encode() + b"\n")
        self.process.stdin.flush()
        return self.line(seconds)

    def end(self):
        """By the end of its input. Exit code, the rest of what it said, what it complained of."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, (self._unread + out).decode(), err.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Server(Process):
    """The echo server that counts."""

    def __init__(self, *hosts, prefix=()):
        super().__init__("storm_server", *hosts, prefix=prefix)
        self.host = hosts[0]
        self.port = int(re.fullmatch(r"listening on (\d+)", self.line())[1])

    def numbers(self, question: str = "count") -> dict:
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", self.ask(question))}

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_mib(self) -> float:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1024

    def greet(self) -> None:
        """One connection, served to its end: all that came before it has been accepted."""
        with socket.create_connection((self.host, self.port), PATIENCE) as client:
            client.sendall(b"hello")
            expect(client.recv(5, socket.MSG_WAITALL) == b"hello", "the server does not echo")

    def check_calm(self, before: "Calm") -> dict:
        """Everything that was made has been lost, once, and nothing of it is left."""
        numbers = self.numbers()
        expect(numbers["lost"] == numbers["made"], f"not all connections were lost: {numbers}")
        expect(numbers["illegal"] == 0, f"callbacks in an illegal order: {numbers}")
        for counter in ("protocols", "transports"):
            expect(numbers[counter] == 0, f"{numbers[counter]} {counter} are still alive")
        descriptors = self.descriptors()
        expect(
            descriptors == before.descriptors,
            f"{before.descriptors} descriptors before, {descriptors} after",
        )
        return numbers

    def finish(self) -> None:
        code, _, err = self.end()
        expect((code, err) == (0, ""), f"the server ended with {code} and said {err!r}")


class Calm:
    """What a server that has served one connection has open. Everything comes back to it."""

    def __init__(self, server: Server):
        server.greet()
        numbers = server.numbers("lost 1")
        expect(numbers["made"] == 1, f"a calm server says {numbers}")
        self.descriptors = server.descriptors()


def listen_overflows() -> int:
    """How many connections the kernel has thrown away because a queue was full."""
    lines = pathlib.Path("/proc/net/netstat").read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        fields = dict(zip(names.split(), values.split()))
        if "ListenOverflows" in fields:
            return int(fields["ListenOverflows"])
    return 0
