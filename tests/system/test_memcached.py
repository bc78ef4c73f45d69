# SPDX-License-Identifier: MIT
"""docs/examples/memcached as memccapable sees it, and where a stream can get out of step."""

import os
import signal
import socket
import subprocess
import time
import unittest

from servers import SECONDS, Server, read_exactly, read_to_end, real, sanitized, talk

MIB = 1 << 20
BAD_LINE = b"CLIENT_ERROR bad command line format\r\n"
BAD_DATA = b"CLIENT_ERROR bad data chunk\r\n"
TOO_LARGE = b"SERVER_ERROR object too large for cache\r\n"
NO_NUMBER = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
NO_DELTA = b"CLIENT_ERROR invalid numeric delta argument\r\n"
NO_TIME = b"CLIENT_ERROR invalid exptime argument\r\n"


def value(key: bytes, data: bytes, flags=0) -> bytes:
    return b"VALUE %s %d %d\r\n%s\r\n" % (key, flags, len(data), data)


class MemcachedTest(unittest.TestCase):
    OPTIONS = ()

    def setUp(self):
        self.server = self.enterContext(Server("memcached", "--port", "0", *self.OPTIONS))

    def check(self, *exchanges) -> None:
        """Each exchange is what is sent and the whole answer; a line end is added to both."""
        with self.server.connect() as client:
            for asked, expected in exchanges:
                with self.subTest(asked=asked[:200]):
                    client.sendall(asked + b"\r\n")
                    expected += b"" if expected.endswith(b"\n") else b"\r\n"
                    self.assertEqual(read_exactly(client, len(expected)), expected)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(client.recv(1), b"", "said more than it was asked")


class Commands(MemcachedTest):
    @real("memccapable", "libmemcached-tools")
    def test_memccapable_finds_all_of_the_text_protocol(self):
        got = subprocess.run(
            ["memccapable", "-a", "-h", "127.0.0.1", "-p", str(self.server.port)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        self.assertIn("All tests passed", got.stdout + got.stderr)

    def test_a_value_comes_back_with_its_flags_whatever_bytes_it_has(self):
        self.check(
            (b"set k 7 0 9\r\na\r\nEND\r\n\0", b"STORED"),
            (b"get k", value(b"k", b"a\r\nEND\r\n\0", 7) + b"END"),
            (b"set e 4294967295 0 0\r\n", b"STORED"),
            (b"get none e k", value(b"e", b"", 4294967295)
             + value(b"k", b"a\r\nEND\r\n\0", 7) + b"END"),
            (b"set k 4294967296 0 1\r\nx", BAD_LINE),
            (b"set k -1 0 1\r\nx", BAD_LINE),
        )  # fmt: skip

    def test_add_replace_append_prepend(self):
        self.check(
            (b"replace k 0 0 1\r\na", b"NOT_STORED"),
            (b"append k 0 0 1\r\na", b"NOT_STORED"),
            (b"prepend k 0 0 1\r\na", b"NOT_STORED"),
            (b"add k 3 0 1\r\nb", b"STORED"),
            (b"add k 0 0 1\r\nc", b"NOT_STORED"),
            (b"append k 9 0 2\r\ncc", b"STORED"),
            (b"prepend k 9 0 2\r\naa", b"STORED"),
            (b"get k", value(b"k", b"aabcc", 3) + b"END"),
            (b"replace k 0 0 1\r\nd", b"STORED"),
            (b"get k", value(b"k", b"d") + b"END"),
        )

    def test_cas_stores_only_what_nobody_else_has_changed(self):
        with self.server.connect() as client:
            client.sendall(b"set k 0 0 1\r\na\r\ngets k\r\n")
            read_exactly(client, len(b"STORED\r\n"))
            line = client.makefile("rb").readline()
        version = line.split()[-1]
        self.check(
            (b"cas none 0 0 1 1\r\nb", b"NOT_FOUND"),
            (b"cas k 0 0 1 x\r\nb", BAD_LINE),
            (b"cas k 0 0 1 " + version + b"\r\nb", b"STORED"),
            (b"cas k 0 0 1 " + version + b"\r\nc", b"EXISTS"),
            (b"get k", value(b"k", b"b") + b"END"),
        )

    def test_counting_wraps_above_and_stops_below(self):
        self.check(
            (b"incr n 1", b"NOT_FOUND"),
            (b"set n 5 0 20\r\n18446744073709551615", b"STORED"),
            (b"incr n 3", b"2"),
            (b"decr n 5", b"0"),
            (b"get n", value(b"n", b"0", 5) + b"END"),
            (b"incr n -1", NO_DELTA),
            (b"incr n x", NO_DELTA),
            (b"incr n 18446744073709551616", NO_DELTA),
            (b"set n 0 0 2\r\n1 ", b"STORED"),
            (b"incr n 1", NO_NUMBER),
        )

    def test_delete_touch_flush(self):
        self.check(
            (b"delete k", b"NOT_FOUND"),
            (b"set k 0 0 1\r\na", b"STORED"),
            (b"delete k 5", BAD_LINE),
            (b"touch k 100", b"TOUCHED"),
            (b"delete k 0", b"DELETED"),
            (b"touch k 100", b"NOT_FOUND"),
            (b"set k 0 0 1\r\na", b"STORED"),
            (b"flush_all 1000", b"OK"),
            (b"get k", value(b"k", b"a") + b"END"),
            (b"flush_all", b"OK"),
            (b"get k", b"END"),
        )

    def test_what_has_expired_is_gone(self):
        now = int(time.time())
        self.check(
            (b"set k 0 -1 1\r\na", b"STORED"),
            (b"get k", b"END"),
            (b"set k 0 %d 1\r\na" % (now - 1), b"STORED"),
            (b"get k", b"END"),
            (b"set k 0 %d 1\r\na" % (now + 1000), b"STORED"),
            (b"get k", value(b"k", b"a") + b"END"),
            (b"gat -1 k", value(b"k", b"a") + b"END"),
            (b"gat 0 k", b"END"),
            (b"set k 0 never 1\r\na", NO_TIME),
            (b"get k", b"END"),
        )

    def test_noreply_is_obeyed_also_by_errors(self):
        self.check(
            (b"set k 0 0 1 noreply\r\na\r\nadd k 0 0 1 noreply\r\nb\r\nget k", value(b"k", b"a")
             + b"END"),
            (b"incr k 1 noreply\r\ndelete none noreply\r\nverbosity 1 noreply\r\nversion",
             b"VERSION 1.6.0-weir"),
            (b"set k 0 0 3 noreply\r\nabcdef\r\nget k", value(b"k", b"a") + b"END"),
            (b"flush_all noreply\r\nget k", b"END"),
        )  # fmt: skip

    def test_what_nobody_knows_is_an_error(self):
        for line in (
            b"", b" ", b"bogus", b"GET k", b"get", b"gat 1", b"set k 0 0", b"set k 0 0 1 2 3",
            b"cas k 0 0 1", b"incr k", b"touch k", b"delete", b"verbosity", b"stats noreply",
        ):  # fmt: skip
            self.check((line, b"ERROR"))

    def test_lines_may_end_without_a_carriage_return_and_have_blanks(self):
        with self.server.connect() as client:
            client.sendall(b" set  k 0 0 1 \na\r\nget  k\n")
            expected = b"STORED\r\n" + value(b"k", b"a") + b"END\r\n"
            self.assertEqual(read_exactly(client, len(expected)), expected)

    def test_a_request_is_understood_however_it_was_cut(self):
        request = b"set k 0 0 4\r\na\r\nb\r\nget k\r\nquit\r\n"
        with self.server.connect() as client:
            for byte in request:
                client.sendall(bytes([byte]))
            self.assertEqual(
                read_to_end(client), b"STORED\r\n" + value(b"k", b"a\r\nb") + b"END\r\n"
            )


class InStep(MemcachedTest):
    """What is wrong with a request must not turn its value into commands."""

    def test_a_value_that_is_too_large_is_taken_off_the_stream(self):
        evil = b"flush_all\r\n" * (MIB // 11 + 1)
        self.check(
            (b"set kept 0 0 1\r\na", b"STORED"),
            (b"set k 0 0 1\r\na", b"STORED"),
            (b"set k 0 0 %d\r\n%s" % (len(evil), evil), TOO_LARGE),
            (b"get k kept", value(b"kept", b"a") + b"END"),
            (b"set k 0 0 %d noreply\r\n%s\r\nget kept" % (len(evil), evil), value(b"kept", b"a")
             + b"END"),
        )  # fmt: skip

    def test_the_largest_value_is_a_mebibyte(self):
        data = os.urandom(MIB)
        self.check(
            (b"set k 0 0 %d\r\n" % MIB + data, b"STORED"),
            (b"get k", value(b"k", data) + b"END"),
            (b"append k 0 0 1\r\nx", TOO_LARGE),
            (b"get k", value(b"k", data) + b"END"),
            (b"set k 0 0 %d\r\n" % (MIB + 1) + data + b"x", TOO_LARGE),
        )

    def test_a_value_that_is_longer_than_it_said_is_taken_off_with_its_line(self):
        self.check(
            (b"set k 0 0 1\r\na", b"STORED"),
            (b"set k 0 0 3\r\nabcflush_all", BAD_DATA),
            (b"set k 0 0 3\r\nabcd\r\nget k", BAD_DATA + value(b"k", b"a") + b"END"),
            (b"set k 0 0 3\r\nabcd\nget k", BAD_DATA + value(b"k", b"a") + b"END"),
        )

    def test_the_value_of_a_refused_line_is_taken_off(self):
        key, long = b"k" * 250, b"k" * 251
        self.check(
            (b"set " + key + b" 0 0 1\r\na", b"STORED"),
            (b"get " + key, value(key, b"a") + b"END"),
            (b"set " + long + b" 0 0 9\r\nflush_all", BAD_LINE),
            (b"set k x 0 9\r\nflush_all", BAD_LINE),
            (b"set k 0 x 9\r\nflush_all", NO_TIME),
            (b"get " + long, BAD_LINE),
            (b"delete " + long, BAD_LINE),
            (b"get " + key, value(key, b"a") + b"END"),
        )

    def test_a_size_that_is_none_ends_the_connection(self):
        for size in b"-1", b"+1", b"x", b"1x", b"0x1", b"4294967296", b"99999999999999999999":
            with self.subTest(size=size):
                request = b"set k 0 0 " + size + b"\r\nversion\r\nversion\r\n"
                self.assertEqual(talk(self.server, request), b"")

    def test_a_line_without_an_end_is_refused_and_not_kept(self):
        before = self.server.resident_bytes()
        got = talk(self.server, b"get " + b"k" * 8 * MIB, half_close=False)
        self.assertIn(got, (b"CLIENT_ERROR line too long\r\n", b""))  # A reset may overtake it.
        if not sanitized():
            self.assertLess(self.server.resident_bytes() - before, 2 * MIB)


class Memory(MemcachedTest):
    OPTIONS = ("--megabytes", "8")

    def test_what_nobody_asks_for_makes_room(self):
        data = os.urandom(MIB // 2)
        with self.server.connect() as client:
            for number in range(64):
                client.sendall(b"set k%d 0 0 %d\r\n%s\r\n" % (number, len(data), data))
                client.sendall(b"get k0\r\n")
                expected = b"STORED\r\n" + value(b"k0", data) + b"END\r\n"
                self.assertEqual(read_exactly(client, len(expected)), expected)
            client.sendall(b"get k1\r\n")
            self.assertEqual(read_exactly(client, 5), b"END\r\n")
        if not sanitized():
            self.assertLess(self.server.resident_bytes(), 24 * MIB)

    def test_a_line_full_of_keys_costs_the_memory_of_one_value(self):
        data = os.urandom(MIB)
        with self.server.connect() as client:
            client.sendall(b"set k 0 0 %d\r\n%s\r\n" % (MIB, data))
            read_exactly(client, len(b"STORED\r\n"))
            before = self.server.resident_bytes()
            client.sendall(b"get" + b" k" * 500 + b"\r\n")
            for _ in range(500):
                read_exactly(client, len(value(b"k", data)))
                grown = self.server.resident_bytes() - before
                if not sanitized():
                    self.assertLess(grown, 8 * MIB)
            self.assertEqual(read_exactly(client, 5), b"END\r\n")


class Draining(MemcachedTest):
    def test_a_signal_ends_it_while_clients_wait(self):
        with self.server.connect() as client:
            client.sendall(b"version\r\n")
            read_exactly(client, len(b"VERSION 1.6.0-weir\r\n"))
            self.assertEqual(self.server.stop(signal.SIGTERM), (0, "", ""))
            self.assertEqual(client.recv(1), b"")

    def test_a_value_on_its_way_is_still_stored(self):
        with self.server.connect() as client, self.server.connect() as idle:
            client.sendall(b"version\r\nset k 0 0 5\r\nhe")
            read_exactly(client, len(b"VERSION 1.6.0-weir\r\n"))
            os.kill(self.server.pid, signal.SIGTERM)
            self.assertEqual(idle.recv(1), b"")  # It drains now.
            client.sendall(b"llo\r\n")
            self.assertEqual(read_to_end(client), b"STORED\r\n")
        self.assertEqual(self.server.process.wait(SECONDS), 0)


if __name__ == "__main__":
    unittest.main()
