# SPDX-License-Identifier: MIT
"""One run: a fresh server on one core, the load generator on another."""

import dataclasses
import json
import os
import pathlib
import resource
import subprocess
import tempfile

from field import Cell, Contestant

SECONDS_TO_START = 20


class RunError(Exception):
    """A server that does not start, or answers wrongly."""


def allow_many_descriptors() -> None:
    """Inherited by servers and load generator: 10 000 connections."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def cores() -> tuple[int, int]:
    """One for the server, one for the client; the same if there is no other."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


class Server:
    """A server in a child process that prints `listening on HOST:PORT` first."""

    def __init__(self, command, core=None, prefix=()):
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [*prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        )
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            self.process.kill()
            self.process.wait()
            error = RunError(f"{' '.join(command)} said {first!r}, {self.complaint()!r}")
            self._close_files()
            raise error
        self.port = int(first.rpartition(":")[2])
        self.pid = self.process.pid

    def complaint(self) -> str:
        self.said.seek(0)
        return self.said.read()[-2000:]

    def __enter__(self):
        return self

    def stop(self) -> str:
        """What it says when it is told to end."""
        self.process.terminate()
        rest = self.process.stdout.read()
        self.process.wait(SECONDS_TO_START)
        return rest

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(SECONDS_TO_START)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._close_files()

    def _close_files(self):
        self.process.stdout.close()
        self.said.close()


def start_load(programs: pathlib.Path, port: int, cell: Cell, *options, core=None):
    command = [
        str(programs / "load"),
        *("--port", str(port)),
        *("--connections", str(cell.connections)),
        *("--bytes", str(cell.bytes)),
        *("--depth", str(cell.depth)),
        *(str(option) for option in options),
    ]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
    )


def finish_load(process) -> dict:
    out, err = process.communicate()
    if process.returncode != 0:
        raise RunError(err.strip() or f"load exited with {process.returncode}")
    return json.loads(out)


@dataclasses.dataclass
class Run:
    rate: float  # Requests a second.
    cpu_ns: float  # The server's, of a request.
    p50_us: float
    p99_us: float
    p999_us: float
    others: float  # Share of the machine that neither server nor client used.


def of_load(seen: dict) -> Run:
    if seen["requests"] == 0:
        raise RunError("no request was answered")
    elsewhere = seen["machine_ns"] - seen["server_ns"] - seen["client_ns"]
    return Run(
        rate=seen["requests"] / seen["seconds"],
        cpu_ns=seen["server_ns"] / seen["requests"],
        p50_us=seen["p50_us"],
        p99_us=seen["p99_us"],
        p999_us=seen["p999_us"],
        others=max(0.0, elsewhere / (seen["seconds"] * 1e9 * os.cpu_count())),
    )


def run(programs: pathlib.Path, contestant: Contestant, cell: Cell, warm_up, seconds) -> Run:
    """A server so slow that it answers nothing in that time has more."""
    for stretch in (1, 4, 16):
        seen = load_once(programs, contestant, cell, warm_up, stretch * cell.stretch * seconds)
        if seen["requests"] != 0:
            break
    else:
        raise RunError(f"{contestant.name}, {cell}: no request was answered")
    return of_load(seen)


def load_once(programs, contestant: Contestant, cell: Cell, warm_up, seconds) -> dict:
    server_core, client_core = cores()
    with Server(contestant.command_for(cell.bytes), server_core) as server:
        load = start_load(
            programs,
            server.port,
            cell,
            *("--server", server.pid, "--warm-up", warm_up, "--seconds", seconds),
            core=client_core,
        )
        try:
            return finish_load(load)
        except RunError as error:
            raise RunError(f"{contestant.name}, {cell}: {error} {server.complaint()}") from None
