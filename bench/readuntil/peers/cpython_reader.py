# SPDX-License-Identifier: MIT
"""asyncio.StreamReader, in the service of the readuntil benchmark: cpython.cpp starts it.

A line of JSON on standard input is a command; the answer is a line of JSON on standard output.
{"open": file, "separators": [...], "chunks": [...], "way": ..., "limit": ...} reads a workload;
{"pass": "time" | "check"} takes all its records. Only taking them is timed: feeding, and the
coroutine that reads. A limit of 0 is none.
"""

import asyncio
import contextlib
import json
import selectors
import sys
import time

NO_LIMIT = 64 * 1024 * 1024
MASK = (1 << 64) - 1


class Seen:
    """seen.hpp: what was found, and if `hashed` FNV-1a over its bytes, with 0x100 for the end of a
    record."""

    def __init__(self, hashed):
        self.records = self.bytes = self.hash = 0
        self.hashed = hashed

    def __call__(self, record):
        self.records += 1
        self.bytes += len(record)
        if self.hashed:
            self.add(record)

    def add(self, record):
        value = self.hash
        for byte in record:
            value = ((value ^ byte) * 0x100000001B3) & MASK
        self.hash = ((value ^ 0x100) * 0x100000001B3) & MASK


class Feed:
    """One chunk for every iteration of the loop, as a socket would have it; or one when asked."""

    def __init__(self, chunks, limit):
        self.loop = asyncio.get_running_loop()
        self.reader = asyncio.StreamReader(limit=limit)
        self.rest = iter(chunks)

    def one(self):
        chunk = next(self.rest, None)
        if chunk is None:
            self.reader.feed_eof()
            return False
        self.reader.feed_data(chunk)
        return True

    def all(self):
        if self.one():
            self.loop.call_soon(self.all)


async def readuntil(feed, separator, seen):
    """Without a call for each record, which the other ways, with few records, can afford."""
    hashed, records, received = seen.hashed, 0, 0
    feed.loop.call_soon(feed.all)
    while True:
        try:
            record = await feed.reader.readuntil(separator)
        except asyncio.IncompleteReadError:
            break
        records += 1
        received += len(record)
        if hashed:
            seen.add(record)
    seen.records, seen.bytes = records, received


async def wait_for(feed, separator, seen):
    """A time-out after every chunk."""
    feed.loop.call_soon(feed.one)
    while True:
        try:
            seen(await asyncio.wait_for(feed.reader.readuntil(separator), 1))
        except asyncio.TimeoutError:
            feed.loop.call_soon(feed.one)


async def readexactly(feed, separator, seen):
    """Records over the limit are read away; what ends at the next separator is the rest."""
    feed.loop.call_soon(feed.all)
    is_rest = False
    while True:
        try:
            record = await feed.reader.readuntil(separator)
            seen(b"" if is_rest else record)
            is_rest = False
        except asyncio.LimitOverrunError as error:
            await feed.reader.readexactly(error.consumed)
            is_rest = True


async def readline(feed, separator, seen):
    """readline() throws away what it does not give; its text says whether that was all."""
    feed.loop.call_soon(feed.all)
    is_rest = False
    while not feed.reader.at_eof():
        try:
            line = await feed.reader.readline()
        except ValueError as error:
            is_rest = not str(error).startswith("Separator is found")
            if not is_rest:
                seen(b"")
            continue
        if line:
            seen(b"" if is_rest else line)
        is_rest = False


WAYS = {"readuntil": readuntil, "wait_for": wait_for, "readexactly": readexactly,
        "readline": readline}


class PassingTime(selectors.DefaultSelector):
    """Whoever waits for a time-out sees it pass, at once."""

    passed = 0.0

    def select(self, timeout=None):
        if timeout:
            self.passed += timeout
        return super().select(0)


def new_loop(way):
    if way != "wait_for":
        return asyncio.new_event_loop()
    selector = PassingTime()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.passed
    return loop


async def take_all(way, chunks, separator, limit, seen):
    """How long it took."""
    feed = Feed(chunks, limit or NO_LIMIT)
    start = time.perf_counter_ns()
    try:
        await WAYS[way](feed, separator, seen)
    except asyncio.IncompleteReadError:
        pass
    return time.perf_counter_ns() - start


def main():
    chunks, separator, way, limit = [], b"\n", "readuntil", 0
    for line in sys.stdin:
        command = json.loads(line)
        if "open" in command:
            with open(command["open"], "rb") as file:
                chunks = [file.read(size) for size in command["chunks"]]
            separators = tuple(text.encode("latin-1") for text in command["separators"])
            way, limit = command["way"], command["limit"]
            separator = separators if len(separators) > 1 else separators[0]
            answer = {"python": sys.version.split()[0]}
        else:
            seen = Seen(command["pass"] == "check")
            with contextlib.closing(new_loop(way)) as loop:
                ns = loop.run_until_complete(take_all(way, chunks, separator, limit, seen))
            answer = {"records": seen.records, "bytes": seen.bytes, "ns": ns, "hash": seen.hash}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
