#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./dev bench memory: what 10 000 connections cost a server's own memory."""

import argparse
import json
import pathlib
import socket
import sys
import time

import pages
from field import OUT, PROGRAMS, Contestant, everybody
from report import describe_machine, table
from runs import Server, allow_many_descriptors
from wanted import Row, as_text

CONNECTIONS = 10_000
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h
WARM = 50  # Opened, used and kept before the first look: what is made once is made then.
BURST = 500
REQUEST = b"x" * 63 + b"\n"
SECONDS = 30
SMALL_BUFFER = ("4096",)
WANTED = {  # Idle, and after a burst.
    "weir protocol": (256, 400),
    "weir streams, views": (768, 1024),
    "weir streams, owned": (768, 1024),
}


def private_bytes(pid: int) -> int:
    """Anonymous memory that is there, and nobody else's: proc(5), smaps_rollup."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("no Anonymous in smaps_rollup")


def connect(port: int, number: int) -> socket.socket:
    """From 127.0.x.1, so that ports do not run out."""
    client = socket.socket()
    client.settimeout(SECONDS)
    # connect() chooses the port, for this server: of others, thousands are in TIME_WAIT.
    client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    client.bind((f"127.0.{1 + number // 5000}.1", 0))
    client.connect(("127.0.0.1", port))
    return client


def use(clients) -> None:
    """All of them ask at once, then each is answered."""
    for client in clients:
        client.sendall(REQUEST)
    for client in clients:
        got = b""
        while len(got) < len(REQUEST):
            more = client.recv(len(REQUEST) - len(got))
            if not more:
                raise SystemExit("a server has closed a connection")
            got += more
        if got != REQUEST:
            raise SystemExit("a server has answered wrongly")


def settled(pid: int) -> int:
    """When nothing has changed for a fifth of a second: all connections are accepted."""
    before = -1
    while (now := private_bytes(pid)) != before:
        before = now
        time.sleep(0.2)
    return now


def measure(contestant: Contestant, connections: int) -> dict:
    command = contestant.command + (SMALL_BUFFER if contestant.takes_buffer else ())
    with Server(command) as server:
        clients = [connect(server.port, i) for i in range(WARM)]
        use(clients)
        empty = settled(server.pid)
        new = [connect(server.port, WARM + i) for i in range(connections)]
        use(new[-1:])  # Accepted in order: now all of them are.
        idle = settled(server.pid)
        for start in range(0, connections, BURST):
            use(new[start : start + BURST])
        after = settled(server.pid)
        for client in clients + new:
            client.close()
    return {"idle": (idle - empty) / connections, "after a burst": (after - empty) / connections}


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench memory", description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, default=PROGRAMS)
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--peers", action="store_true", help="not only weir and the floor")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--quick", action="store_true", help="a fifth of the connections")
    parser.add_argument("--write", action="store_true", help="also docs/serving.md")
    options = parser.parse_args()
    if options.quick:
        options.connections //= 5
    allow_many_descriptors()
    contestants, skipped = everybody(options.programs, options.peers)
    for line in skipped:
        print(f"skipped: {line}")
    found = {}
    for contestant in contestants:
        if contestant.kind == "echo":
            print(contestant.name, file=sys.stderr, flush=True)
            found[contestant.name] = measure(contestant, options.connections)
    ratios = []
    for name, bounds in WANTED.items():
        for state, bound in zip(("idle", "after a burst"), bounds):
            ratios.append(Row(7, f"{name}: bytes a connection, {state}", found[name][state], bound))
    print(*as_text(ratios), sep="\n")
    print(f"\nanonymous memory of the server, bytes a connection, {options.connections:,} of them")
    rows = [[name, *(f"{value:,.0f}" for value in seen.values())] for name, seen in found.items()]
    print(table(["server", "idle", f"after a burst, {BURST} at a time"], rows))
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "memory.json"
    everything = {
        "machine": describe_machine(1),
        "connections": options.connections,
        "must_show": [row._asdict() | {"verdict": row.verdict} for row in ratios],
        "servers": found,
    }
    file.write_text(json.dumps(everything, indent=1) + "\n")
    if options.write:
        print(pages.rewrite(options.out))
    print(f"{len(found)} servers, in {file}")


if __name__ == "__main__":
    main()
