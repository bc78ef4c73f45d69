#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a server lives through on the real kernel: crowds that vanish, resets, lost packets."""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

from storm import (
    Calm,
    Failure,
    Process,
    Server,
    Skipped,
    allow_descriptors,
    expect,
    listen_overflows,
)

NOT_PERMITTED = 77  # packet_loss.cpp


def connections(count: int = 19_000, seconds: float | None = 15) -> str:
    """Two processes open `count` connections, and are killed at the same moment."""
    allow_descriptors(count + 100)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server("127.0.0.1"))
        calm = Calm(server)
        start = time.monotonic()
        holders = [
            stack.enter_context(Process("storm_hold", server.host, server.port, share, first))
            for share, first in ((count // 2, 2), (count - count // 2, 10))
        ]
        server.numbers(f"made {count + 1}")
        for holder in holders:
            holder.line()
        opened = time.monotonic() - start
        expect(
            server.descriptors() == calm.descriptors + count,
            f"{server.descriptors()} descriptors for {count} connections",
        )
        resident = server.resident_mib()

        start = time.monotonic()
        for holder in holders:
            holder.process.send_signal(signal.SIGKILL)
        server.numbers(f"lost {count + 1}")
        lost = time.monotonic() - start
        numbers = server.check_calm(calm)
        server.greet()
        expect(numbers["made"] == count + 1, f"{count} were opened: {numbers}")
        server.finish()
    expect(seconds is None or opened <= seconds, f"took {opened:.1f} s to open, not {seconds} s")
    return (
        f"{count} open after {opened:.1f} s ({resident:.0f} MiB), killed at once: {count} lost, "
        f"each once, after {lost:.1f} s; {calm.descriptors} descriptors before and after"
    )


def resets(per_second: int = 5000, seconds: float = 10, keep_pace: bool = True) -> str:
    """Two processes open connections at a steady rate, and reset every one."""
    count = int(per_second * seconds) // 2 * 2
    allow_descriptors(20_000)
    with contextlib.ExitStack() as stack:
        hosts = [f"127.0.0.{number}" for number in range(1, 9)]
        server = stack.enter_context(Server(*hosts))
        calm = Calm(server)
        overflows = listen_overflows()
        start = time.monotonic()
        resetters = [
            stack.enter_context(
                Process("storm_reset", count // 2, per_second // 2, server.port, *hosts)
            )
            for _ in range(2)
        ]
        said = [resetter.line(seconds + 120) for resetter in resetters]
        count = sum(int(line.split()[1]) for line in said)  # Without those that never connected.
        took = time.monotonic() - start
        server.greet()  # Whatever is still in the queue comes before it.
        made = server.numbers()["made"]
        server.numbers(f"lost {made}")
        numbers = server.check_calm(calm)
        overflows = listen_overflows() - overflows
        never_accepted = count + 2 - made
        expect(
            0 <= never_accepted <= overflows,
            f"{count} were reset, {made - 2} accepted, and the queue overflowed {overflows} times",
        )
        expect(numbers["reset"] > count // 4, f"hardly a reset was heard: {numbers}")
        server.finish()
    rate = count / took
    expect(
        not keep_pace or rate >= 0.95 * per_second,
        f"all held, but at {rate:.0f} a second: this machine is too slow or too busy for more",
    )
    return (
        f"{count} connections reset in {took:.1f} s, {rate:.0f} a second: {made - 2} accepted and "
        f"lost, each once, {numbers['reset']} of them with an error; {calm.descriptors} "
        f"descriptors before and after"
    )


class Network:
    """Two hosts, `a` at 10.99.7.1 and `b` at 10.99.7.2: network namespaces, and a wire of veth."""

    def __init__(self):
        self.names = [f"weir-{os.getpid()}-{end}" for end in "ab"]

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skipped("only root may make network namespaces")
        if not shutil.which("ip"):
            raise Skipped("there is no ip(8); it is in the package iproute2")
        try:
            for name in self.names:
                self._ip("netns", "add", name)
            a, b = self.names
            self._ip("-n", a, "link", "add", "wire", "type", "veth", "peer", "wire", "netns", b)
            for host, name in enumerate(self.names, 1):
                self._ip("-n", name, "address", "add", f"10.99.7.{host}/24", "dev", "wire")
                # A packet is what fits on a wire, not 64 KiB that are cut up later.
                self._ip("-n", name, "link", "set", "wire", "gso_max_segs", "1", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL)

    @staticmethod
    def _ip(*arguments):
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise Skipped(f"ip {' '.join(arguments)}: {done.stderr.strip()}")

    def at(self, host: int) -> list:
        """What a command begins with that is to run there."""
        return ["ip", "netns", "exec", self.names[host]]


class Loss(Process):
    """Throws away some of what arrives at one end of the wire."""

    def __init__(self, percent: int, prefix: list):
        super().__init__("packet_loss", "wire", percent, prefix=prefix)
        try:
            self.line()
        except Failure as failure:
            if self.process.returncode == NOT_PERMITTED:
                raise Skipped(str(failure)) from failure
            raise

    def counts(self):
        """How many packets passed, how many were dropped; ends it."""
        _, out, _ = self.end()
        return [int(field.partition("=")[2]) for field in out.split()]


def loss(mib: int = 64, percent: int = 10, seconds: float = 300) -> str:
    """An echo between two hosts, over a wire that loses packets in both directions."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(Network())
        drops = [stack.enter_context(Loss(percent, network.at(host))) for host in (0, 1)]
        server = stack.enter_context(Server("10.99.7.1", prefix=network.at(0)))
        start = time.monotonic()
        client = stack.enter_context(
            Process("storm_echo", server.host, server.port, mib << 20, prefix=network.at(1))
        )
        sent, received = client.line(seconds), client.line()
        took = time.monotonic() - start
        expect(sent == received, f"sent {sent}, received {received}")
        expect(sent.startswith(f"{mib << 20} bytes "), f"sent only {sent}")
        expect(took <= seconds, f"took {took:.0f} s")
        numbers = server.numbers("lost 1")
        expect((numbers["made"], numbers["bytes"]) == (1, mib << 20), f"the server says {numbers}")
        server.finish()
        passed, dropped = map(sum, zip(*(drop.counts() for drop in drops)))
    share = 100 * dropped / (passed + dropped)
    expect(0.8 * percent < share < 1.2 * percent, f"{share:.1f} % of the packets were dropped")
    expect(passed > mib << 20 >> 14, f"only {passed} packets: larger than a wire takes")
    return (
        f"{mib} MiB there and back in {took:.0f} s, intact ({sent.split()[2]}), though {dropped} "
        f"of {passed + dropped} packets were lost ({share:.1f} %)"
    )


STORMS = {"connections": connections, "resets": resets, "loss": loss}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(STORMS)}; all")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in STORMS:
            parser.error(f"no storm called {name}; there are {', '.join(STORMS)}")
    passed = failed = 0
    for name in arguments.names or STORMS:
        try:
            print(f"{name}: {STORMS[name]()}", flush=True)
            passed += 1
        except Failure as failure:
            print(f"{name}: FAILED: {failure}", flush=True)
            failed += 1
        except Skipped as why:
            print(f"{name}: SKIPPED: {why}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
