# SPDX-License-Identifier: MIT
"""Two questions with a harness of their own: resp_kv beside redis-server, and pingers beside a
firehose."""

import pathlib
import re
import shutil
import statistics
import subprocess
import time

from contest import Effort
from field import Cell, Contestant
from runs import RunError, Server, cores, finish_load, start_load
from wanted import Row

COMMANDS = 400_000
FIREHOSE = Cell("echo", 64 * 1024, 1, 16)
PINGERS = Cell("echo", 64, 100, 1)
FIREHOSE_P99 = 10.0


# ---- 6. redis

def cpu_ns_of(pid: int) -> int:
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks)


def benchmark(port: int, pid: int, core: int, commands: int) -> float:
    """The server's CPU for a command."""
    before = cpu_ns_of(pid)
    done = subprocess.run(
        ["taskset", "-c", str(core), "redis-benchmark", "-p", str(port)]
        + ["-t", "get,set", "-P", "16", "-c", "50", "-n", str(commands), "-q"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RunError(f"redis-benchmark: {done.stderr.strip()}")
    return (cpu_ns_of(pid) - before) / (2 * commands)


class Redis:
    """Debian's server, without its files, on a port that it finds free."""

    def __init__(self, core: int):
        import socket

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), "redis-server", "--port", str(self.port)]
            + ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.pid = self.process.pid

    def __enter__(self):
        for _ in range(200):
            ping = ["redis-cli", "-p", str(self.port), "PING"]
            if subprocess.run(ping, capture_output=True, text=True).stdout.strip() == "PONG":
                return self
            time.sleep(0.05)
        self.__exit__()
        raise RunError("redis-server did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def beside_redis(resp_kv: pathlib.Path, rounds: int, commands: int = COMMANDS) -> list[Row]:
    claim = "resp_kv / redis-server, CPU a command, -P 16 -c 50"
    missing = [tool for tool in ("redis-server", "redis-benchmark") if not shutil.which(tool)]
    if missing or not resp_kv.exists():
        return [Row(6, claim, None, 1.1)]
    server_core, client_core = cores()
    seen = {"weir": [], "redis": []}
    for _ in range(rounds):
        with Server((str(resp_kv),), server_core) as server:
            seen["weir"].append(benchmark(server.port, server.pid, client_core, commands))
        with Redis(server_core) as redis:
            seen["redis"].append(benchmark(redis.port, redis.pid, client_core, commands))
    measured = statistics.median(seen["weir"]) / statistics.median(seen["redis"])
    return [Row(6, claim, measured, 1.1)]


# ---- 9. a firehose

def p99(programs: pathlib.Path, contestant: Contestant, effort: Effort, firehose: bool) -> float:
    server_core, client_core = cores()
    times = ("--warm-up", effort.warm_up, "--seconds", effort.seconds)
    with Server(contestant.command, server_core) as server:
        beside = None
        if firehose:
            longer = ("--warm-up", 0, "--seconds", 2 * effort.warm_up + effort.seconds + 0.5)
            beside = start_load(programs, server.port, FIREHOSE, *longer, core=client_core)
        seen = finish_load(start_load(programs, server.port, PINGERS, *times, core=client_core))
        if beside is not None:
            finish_load(beside)
        return seen["p99_us"]


def beside_a_firehose(programs, contestants, effort: Effort, rounds: int) -> list[Row]:
    """The load generators share a core, so what is measured is more than the server's share."""
    found = []
    for contestant in contestants:
        alone = [p99(programs, contestant, effort, firehose=False) for _ in range(rounds)]
        loaded = [p99(programs, contestant, effort, firehose=True) for _ in range(rounds)]
        found.append(
            Row(9, f"{contestant.name}: p99 of 100 pingers beside a firehose / without",
                statistics.median(loaded) / statistics.median(alone),
                FIREHOSE_P99,
            )
        )
    return found
