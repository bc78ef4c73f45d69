# SPDX-License-Identifier: MIT
"""docs/examples/jsonl_rpc and asyncio of CPython: each as server and as client, TCP and unix."""

import asyncio
import contextlib
import json
import pathlib
import subprocess
import tempfile
import unittest

from servers import EXAMPLES, SECONDS, Server

MIB = 1 << 20
PIECE = 4096
ROOM = 16 * MIB  # A limit that ten MiB stay under.
DEFAULT_LIMIT = 1 << 16


def line_of(value) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def echo_request(number, size):
    return {"id": number, "method": "echo", "params": "x" * size}


async def send_in_pieces(writer, data):
    for start in range(0, len(data), PIECE):
        writer.write(data[start : start + PIECE])
        await writer.drain()


@contextlib.contextmanager
def addresses():
    """What the example takes as an address: a port, and a path."""
    with tempfile.TemporaryDirectory() as folder:
        yield ("0", str(pathlib.Path(folder, "rpc")))


def within_time(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, SECONDS))


async def connect(address, limit=ROOM):
    if address.isdigit():
        return await asyncio.open_connection("127.0.0.1", int(address), limit=limit)
    return await asyncio.open_unix_connection(address, limit=limit)


class WeirServes(unittest.TestCase):
    """A client of CPython asks."""

    def ask(self, lines, *limit):
        """Sends all lines in pieces while it reads: the replies, for each kind of address."""

        async def talk(address):
            reader, writer = await connect(address)

            async def send():
                for line in lines:
                    await send_in_pieces(writer, line)
                writer.write_eof()

            sending = asyncio.create_task(send())
            replies = [json.loads(line) async for line in reader]
            await sending
            writer.close()
            await writer.wait_closed()
            return replies

        with addresses() as both:
            for address in both:
                with self.subTest(address=address):
                    with Server("jsonl_rpc", "serve", address, *limit) as server:
                        yield within_time(talk(server.address))
                        self.assertEqual(server.stop()[::2], (130, ""))

    def test_every_line_gets_its_reply_in_order(self):
        lines = [
            line_of({"id": 1, "method": "add", "params": [2, 3, -7]}),
            line_of({"id": "two", "method": "length", "params": "four"}),
            line_of({"id": 3, "method": "dance"}),
            b"{\n",
            b"\r\n",
            line_of([1, 2]),
            line_of({"id": 4, "method": "add", "params": ["x"]}),
            line_of({"id": 5, "method": "echo", "params": {"a": [None, True]}})[:-1],
        ]
        for replies in self.ask(lines):
            self.assertEqual(replies[0], {"id": 1, "result": -2})
            self.assertEqual(replies[1], {"id": "two", "result": 4})
            self.assertEqual(replies[2], {"id": 3, "error": "there is no dance"})
            for reply in replies[3:6]:
                self.assertIsNone(reply["id"])
                self.assertIn("error", reply)
            self.assertEqual((replies[6]["id"], "error" in replies[6]), (4, True))
            self.assertEqual(replies[7], {"id": 5, "result": {"a": [None, True]}})

    def test_ten_mib_in_pieces_pass_with_a_limit_for_the_call(self):
        request = echo_request(1, 10 * MIB)
        for replies in self.ask([line_of(request)], str(ROOM)):
            self.assertEqual(len(replies), 1)
            self.assertEqual(replies[0], {"id": 1, "result": request["params"]})

    def test_ten_mib_are_survived_with_the_default_limit(self):
        long = line_of(echo_request(1, 10 * MIB))
        for replies in self.ask([long, line_of(echo_request(2, 3))]):
            complaint = f"a line of {len(long)} bytes, but at most {DEFAULT_LIMIT} are taken"
            self.assertEqual(replies[0], {"id": None, "error": complaint})
            self.assertEqual(replies[1:], [{"id": 2, "result": "xxx"}])

    def test_an_end_inside_a_line_that_is_too_long_closes_quietly(self):
        for replies in self.ask([line_of(echo_request(1, MIB))[:-1]]):
            self.assertEqual(replies, [])


class WeirCalls(unittest.TestCase):
    """A server of CPython answers."""

    def call(self, requests, *limit):
        """The replies that `jsonl_rpc call` prints, for each kind of address."""

        async def answer(reader, writer):
            while line := await reader.readline():
                request = json.loads(line)
                await send_in_pieces(
                    writer, line_of({"id": request["id"], "result": request["params"]})
                )
            writer.close()

        async def run(address):
            if address.isdigit():
                server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=ROOM)
                address = str(server.sockets[0].getsockname()[1])
            else:
                server = await asyncio.start_unix_server(answer, address, limit=ROOM)
            async with server:
                client = await asyncio.create_subprocess_exec(
                    EXAMPLES / "jsonl_rpc",
                    "call",
                    address,
                    *limit,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
                out, _ = await client.communicate(b"".join(requests))
                self.assertEqual(client.returncode, 0)
                return [json.loads(line) for line in out.splitlines()]

        with addresses() as both:
            for address in both:
                with self.subTest(address=address):
                    yield within_time(run(address))

    def test_ten_mib_in_pieces_pass_with_a_limit_for_the_call(self):
        request = echo_request(1, 10 * MIB)
        for replies in self.call([line_of(request)], str(ROOM)):
            self.assertEqual(replies, [{"id": 1, "result": request["params"]}])

    def test_ten_mib_are_survived_with_the_default_limit(self):
        size = len(line_of({"id": 1, "result": "x" * 10 * MIB}))
        complaint = f"a line of {size} bytes, but at most {DEFAULT_LIMIT} are taken"
        requests = [line_of(echo_request(1, 10 * MIB)), line_of(echo_request(2, 3))]
        for replies in self.call(requests):
            self.assertEqual(replies[0], {"id": None, "error": complaint})
            self.assertEqual(replies[1:], [{"id": 2, "result": "xxx"}])

    def test_both_ends_with_much_to_say_do_not_wait_for_each_other(self):
        requests = [line_of(echo_request(number, MIB)) for number in range(24)]
        for replies in self.call(requests, str(ROOM)):
            self.assertEqual([reply["id"] for reply in replies], list(range(24)))
            self.assertTrue(all(len(reply["result"]) == MIB for reply in replies))


class WeirAlone(unittest.TestCase):
    def test_its_own_client_and_its_own_server(self):
        request = line_of({"id": 1, "method": "add", "params": [40, 2]})
        with addresses() as both:
            for address in both:
                with Server("jsonl_rpc", "serve", address) as server:
                    called = subprocess.run(
                        [EXAMPLES / "jsonl_rpc", "call", server.address],
                        input=request,
                        capture_output=True,
                        timeout=SECONDS,
                    )
                    self.assertEqual(json.loads(called.stdout), {"id": 1, "result": 42})

    def test_a_missing_argument_is_explained(self):
        wrong = subprocess.run([EXAMPLES / "jsonl_rpc"], capture_output=True, timeout=SECONDS)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn(b"usage: jsonl_rpc", wrong.stderr)


if __name__ == "__main__":
    unittest.main()
