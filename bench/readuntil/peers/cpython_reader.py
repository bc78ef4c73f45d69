# SPDX-License-Identifier: MIT
"""asyncio.StreamReader, in the service of the readuntil benchmark: cpython.cpp starts it.

A line of JSON on standard input is a command; the answer is a line of JSON on standard output.
{"open": file, "separators": [...], "chunks": [...]} reads a workload; {"pass": "time" | "check"}
takes all its records. Only taking them is timed: feeding, and the coroutine that reads.
"""

import asyncio
import json
import sys
import time

LIMIT = 64 * 1024 * 1024
MASK = (1 << 64) - 1


class Checking:
    """seen.hpp: FNV-1a over the bytes, with 0x100 for the end of a record."""

    def __init__(self):
        self.hash = 0

    def __call__(self, record):
        value = self.hash
        for byte in record:
            value = ((value ^ byte) * 0x100000001B3) & MASK
        self.hash = ((value ^ 0x100) * 0x100000001B3) & MASK


async def take_all(chunks, separator, check):
    """One chunk for every iteration of the loop, as a socket would have it."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LIMIT)
    rest = iter(chunks)

    def feed():
        chunk = next(rest, None)
        if chunk is None:
            reader.feed_eof()
            return
        reader.feed_data(chunk)
        loop.call_soon(feed)

    records = received = 0
    start = time.perf_counter_ns()
    loop.call_soon(feed)
    while True:
        try:
            record = await reader.readuntil(separator)
        except asyncio.IncompleteReadError:
            break
        records += 1
        received += len(record)
        if check:
            check(record)
    return records, received, time.perf_counter_ns() - start


def main():
    chunks, separator = [], b"\n"
    for line in sys.stdin:
        command = json.loads(line)
        if "open" in command:
            with open(command["open"], "rb") as file:
                chunks = [file.read(size) for size in command["chunks"]]
            separators = tuple(text.encode("latin-1") for text in command["separators"])
            separator = separators if len(separators) > 1 else separators[0]
            answer = {"python": sys.version.split()[0]}
        else:
            check = Checking() if command["pass"] == "check" else None
            records, received, ns = asyncio.run(take_all(chunks, separator, check))
            answer = {"records": records, "bytes": received, "ns": ns,
                      "hash": check.hash if check else 0}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
