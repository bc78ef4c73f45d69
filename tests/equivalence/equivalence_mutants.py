#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants bugs in a copy of the pollers, one at a time; ./dev equivalence must find each in time."""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "support"))

from planting import Patch, build  # noqa: E402

EPOLL = "reactor/poller/poller_epoll.cpp"
KQUEUE = "reactor/poller/poller_kqueue.cpp"
POLL = "reactor/poller/poller_poll.cpp"
SECONDS = 10

BUGS = {
    "a stale event after a descriptor was used again": Patch(
        "reactor/io_table.cpp", "++its.generation;", "", "void IoTable::forget("),
    "the end of the stream hides the bytes before it": Patch(
        KQUEUE, "if (event.filter == EVFILT_READ) ready",
        "if (event.filter == EVFILT_READ && (event.flags & EV_EOF) == 0) ready",
        "void KqueuePoller::merge("),
    "the end of the stream comes before the bytes": Patch(
        "reactor/sim/fake_socket.cpp", "if (inbox.empty()) {", "if (inbox.empty() || ended) {",
        "IoResult FakeSocket::recv("),
    "the write filter is lost": Patch(
        KQUEUE, "change(EVFILT_WRITE,",
        "if (!wants_read(after.interest)) change(EVFILT_WRITE,", "int KqueuePoller::move("),
    "one filter's event overwrites the other's": Patch(
        KQUEUE, "ready[place].writable = true;", "ready[place] = {fd, generation, false, true};",
        "void KqueuePoller::merge("),
    "the two filters are not merged": Patch(
        KQUEUE, "if (place < batch_begin ||", "if (true ||", "void KqueuePoller::merge("),
    "a filter that is not wanted any more stays": Patch(
        KQUEUE, "is_wanted ? EV_ADD : EV_DELETE", "EV_ADD", "int KqueuePoller::move("),
    "a change keeps the old generation": Patch(
        KQUEUE, "std::uintptr_t{after.generation}", "std::uintptr_t{before.generation}",
        "int KqueuePoller::move("),
    "epoll is not told what is forgotten": Patch(
        EPOLL, "control(EPOLL_CTL_DEL, fd, after);", "", "int EpollPoller::apply("),
    "poll goes on with the old generation": Patch(
        POLL, "generations_[place] = generation;", "", "int PollPoller::set("),
}


def hunt(name: str, folder: pathlib.Path, options) -> bool:
    """Whether it is found in time; prints what was found."""
    with tempfile.TemporaryDirectory() as temporary:
        program = build(folder, "tests/equivalence", BUGS[name], pathlib.Path(temporary))
        start = time.monotonic()
        done = subprocess.run(
            [str(program), "--seconds", str(SECONDS), "--seed", options.seed,
             "--jobs", str(options.jobs)], capture_output=True, text=True)
        took = time.monotonic() - start
    found = re.search(r"DIFFERENT after ([\d.]+) s", done.stdout)
    if done.returncode != 1 or not found:
        print(f"NOT FOUND: {name} ({took:.1f} s)\n{done.stdout}{done.stderr}", flush=True)
        return False
    print(f"found: {name}\n{done.stdout}{done.stderr}", flush=True)
    return float(found[1]) <= SECONDS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/gcc")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", default="1")
    parser.add_argument("filter", nargs="?", default="", help="part of a bug's name")
    options = parser.parse_args()
    found = [hunt(name, options.build.resolve(), options)
             for name in BUGS if options.filter in name]
    print(f"{sum(found)} of {len(found)} planted bugs found, each within {SECONDS} s")
    return 0 if found and all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
