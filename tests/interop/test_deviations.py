# SPDX-License-Identifier: MIT
"""Where weir does not follow asyncio: what CPython does, seen here, and the case that shows ours.

Those of the reader stand in test_differences.py. Each has a row in docs/asyncio_map.md.
"""

import asyncio
import errno
import logging
import os
import pathlib
import resource
import socket
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", "build/gcc"))
SECONDS = 60


def run(coroutine):
    """Runs it and returns its result, and what the loop's exception handler was told meanwhile."""
    reports = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, told: reports.append(told))
        return await asyncio.wait_for(coroutine, SECONDS)

    return asyncio.run(main()), reports


class Recorder(asyncio.Protocol):
    def __init__(self):
        self.calls = []

    def __getattribute__(self, name):
        if name in ("eof_received", "pause_writing", "resume_writing", "connection_lost"):
            self.calls.append(name)
        return super().__getattribute__(name)

    def eof_received(self):
        return True  # Stay open for writing.


async def pair(factory):
    """A transport over one end of a socket pair, its protocol, and the other end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    transport, protocol = await asyncio.get_running_loop().create_connection(factory, sock=ours)
    return transport, protocol, theirs


async def passes(number):
    for _ in range(number):
        await asyncio.sleep(0)


class Deviations(unittest.TestCase):
    def ours(self, program, case):
        """The case of weir's own tests that states what weir does instead; runs it."""
        with tempfile.NamedTemporaryFile("r") as summary:
            subprocess.run(
                [
                    BUILD / "tests" / program,
                    "--test-case=" + case.replace(",", "\\,"),
                    f"--weir-summary={summary.name}",
                ],
                stdout=subprocess.DEVNULL,
                timeout=SECONDS,
            )
            words = [line.split("\t")[0] for line in summary]
        self.assertEqual(words.count("passed"), 1, f"{program} has no case that passes: {case}")

    def test_a_cancelled_wait_closed_poisons_the_others(self):
        async def theirs():
            ours, peer = socket.socketpair()
            _, writer = await asyncio.open_connection(sock=ours)
            first = asyncio.create_task(writer.wait_closed())
            await passes(2)
            first.cancel()
            await passes(2)
            writer.close()
            second = await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            peer.close()
            return second[0]

        self.assertIsInstance(run(theirs())[0], asyncio.CancelledError)
        self.ours("test_streams", "wait_closed: a time-out spoils no later wait")

    def test_resume_writing_that_closes_ends_the_connection_twice(self):
        class Closing(Recorder):
            def resume_writing(self):
                self.transport.close()

        async def theirs():
            transport, protocol, peer = await pair(Closing)
            protocol.transport = transport
            peer.setblocking(False)
            transport.set_write_buffer_limits(0)
            transport.write(bytes(4 << 20))
            received = 0
            while received < 4 << 20:
                try:
                    received += len(peer.recv(1 << 20))
                except BlockingIOError:
                    await passes(1)
            await passes(5)
            peer.close()

        reports = run(theirs())[1]
        self.assertEqual([type(told["exception"]) for told in reports], [AttributeError])
        self.ours(
            "test_net", "resume_writing: one that closes gets connection_lost once, and later"
        )

    def test_the_end_of_a_stream_is_told_again(self):
        async def theirs():
            transport, protocol, peer = await pair(Recorder)
            peer.shutdown(socket.SHUT_WR)
            await passes(5)
            for _ in range(2):
                transport.pause_reading()
                transport.resume_reading()
                await passes(5)
            transport.close()
            peer.close()
            return protocol.calls.count("eof_received"), transport.is_reading()

        self.assertEqual(run(theirs())[0][0], 3)
        self.ours(
            "test_net", "eof_received: is told once, also after reading was paused and resumed"
        )

    def test_the_first_drain_after_a_broken_pipe_does_not_say_why(self):
        async def theirs():
            ours, peer = socket.socketpair()
            _, writer = await asyncio.open_connection(sock=ours)
            peer.close()
            writer.write(b"x")
            errors = []
            for _ in range(2):
                try:
                    await writer.drain()
                except OSError as error:
                    errors.append(error)
            return errors

        first, second = run(theirs())[0]
        self.assertEqual((type(first), str(first)), (ConnectionResetError, "Connection lost"))
        self.assertIsNone(first.__cause__)
        self.assertIsInstance(second, BrokenPipeError)
        self.ours("test_streams", "drain: Connection lost has the error of the connection as cause")

    def test_port_0_is_a_different_port_for_every_address(self):
        async def theirs():
            loop = asyncio.get_running_loop()
            server = await loop.create_server(Recorder, ["127.0.0.1", "127.0.0.2"], 0)
            ports = {listener.getsockname()[1] for listener in server.sockets}
            server.close()
            return ports

        # By accident the kernel may choose the same one twice; not five times in a row.
        self.assertIn(2, [len(run(theirs())[0]) for _ in range(5)])
        self.ours("test_net", "create_server: port 0 is one port, also if another family has it")

    def test_timers_with_equal_deadlines_fire_out_of_order(self):
        async def theirs():
            loop = asyncio.get_running_loop()
            order = []
            deadline = loop.time()
            for number in range(5):
                loop.call_at(deadline, order.append, number)
            await passes(2)
            return order

        self.assertCountEqual(order := run(theirs())[0], range(5))
        self.assertNotEqual(order, sorted(order))
        self.ours("test_reactor", "call_at: equal deadlines run in the order of the calls")

    def test_out_of_descriptors_one_client_makes_a_hundred_reports(self):
        async def theirs():
            loop = asyncio.get_running_loop()
            server = await loop.create_server(Recorder, "127.0.0.1", 0, backlog=100)
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(server.sockets[0].getsockname())
            hoard = []
            try:
                while True:
                    hoard.append(os.open("/dev/null", os.O_RDONLY))
            except OSError as error:
                self.assertEqual(error.errno, errno.EMFILE)
            await passes(3)
            for fd in hoard:
                os.close(fd)
            server.close()
            client.close()

        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
        try:
            reports = run(theirs())[1]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        full = [told for told in reports if "out of system resource" in told["message"]]
        self.assertGreaterEqual(len(full), 100)
        self.ours(
            "test_net",
            "B25: out of descriptors it is reported once, with one timer and one retry a second",
        )


if __name__ == "__main__":
    logging.disable()
    unittest.main()
