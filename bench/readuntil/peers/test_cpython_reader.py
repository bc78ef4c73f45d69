# SPDX-License-Identifier: MIT
"""Whatever way asyncio reads, it tells of the same records."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cpython_reader  # noqa: E402

LIMIT = 100
RECORDS = [b"x" * length + b"\n" for length in (LIMIT - 1, 3, LIMIT, 0, LIMIT + 1, 5, 1000, 7)]


def chunks_of(size):
    stream = b"".join(RECORDS)
    return [stream[at:at + size] for at in range(0, len(stream), size)]


def take(way, chunk, limit=0, hashed=True):
    seen = cpython_reader.Seen(hashed)
    loop = cpython_reader.new_loop(way)
    loop.run_until_complete(
        cpython_reader.take_all(way, chunks_of(chunk), b"\n", limit, seen))
    loop.close()
    return seen.records, seen.bytes, seen.hash


def expected(limit=None):
    """A record over the limit is told of as an empty one."""
    seen = cpython_reader.Seen(True)
    for record in RECORDS:
        seen(b"" if limit and len(record) - 1 > limit else record)
    return seen.records, seen.bytes, seen.hash


class Ways(unittest.TestCase):
    def test_every_record_is_seen_however_it_comes(self):
        for chunk in (1, 7, 50, 2000):
            with self.subTest(chunk):
                self.assertEqual(take("readuntil", chunk), expected())

    def test_time_outs_lose_nothing(self):
        for chunk in (1, 7, 50, 2000):
            with self.subTest(chunk):
                self.assertEqual(take("wait_for", chunk), expected())

    def test_there_is_a_time_out_after_every_chunk_and_nobody_waits_for_it(self):
        loop = cpython_reader.new_loop("wait_for")
        chunks = chunks_of(50)
        loop.run_until_complete(cpython_reader.take_all("wait_for", chunks, b"\n", 0,
                                                        cpython_reader.Seen(False)))
        self.assertAlmostEqual(loop.time(), len(chunks), delta=0.1)
        loop.close()

    def test_records_over_the_limit_are_refused_and_no_others(self):
        for way in ("readexactly", "readline"):
            for chunk in (1, 7, 50, 150, 2000):
                with self.subTest(way, chunk=chunk):
                    self.assertEqual(take(way, chunk, LIMIT), expected(LIMIT))

    def test_a_timed_pass_hashes_nothing(self):
        self.assertEqual(take("readuntil", 50, hashed=False), (*expected()[:2], 0))


if __name__ == "__main__":
    unittest.main()
