#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""CPython's performer: does with the real asyncio what the driver says, one line at a time.

peer.cpp is its twin for weir, function by function; README.md has the language. A command comes as
a line on standard input and is answered by one on standard output, once its effects have settled.
"""

import asyncio
import logging
import os
import socket
import struct
import sys
import zlib

SEND_BUFFER_BYTES = 64 * 1024
RECEIVE_BUFFER_BYTES = 64 * 1024
SEGMENT_BYTES = 1400  # Small against the buffers, or the window opens by a timer of the kernel.
CHUNK_BYTES = 64 * 1024
SETTLE_PASSES = 8  # More than any chain of call_soon() in asyncio's transports and streams.

PATTERNS = {
    "client": bytes((i * 7 + 3) % 251 for i in range(251)),
    "server": bytes((i * 11 + 5) % 251 for i in range(251)),
}


def describe(error):
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def new_socket(kind):
    """With fixed buffers, so that it does not depend on the moment how much the kernel takes."""
    if kind == "unix":
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    else:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    return made


class Spy(asyncio.Protocol):
    """Stands between transport and protocol; in protocol style it is the protocol."""

    def __init__(self, side, inner=None):
        self.side = side
        self.inner = inner

    def connection_made(self, transport):
        self.side.made(transport)

    def data_received(self, data):
        self.side.arrived += len(data)
        if self.inner:
            self.inner.data_received(data)
        else:
            self.side.receive(data)
        self.side.called("data")

    def eof_received(self):
        keep = self.inner.eof_received() if self.inner else self.side.keep_open
        self.side.called("eof")
        return keep

    def pause_writing(self):
        if self.inner:
            self.inner.pause_writing()
        self.side.flow(True)

    def resume_writing(self):
        if self.inner:
            self.inner.resume_writing()
        self.side.flow(False)

    def connection_lost(self, error):
        self.side.lost = "none" if error is None else describe(error)
        if self.inner:
            self.inner.connection_lost(error)
        self.side.called("lost")


class Side:
    """One end of a connection: what is done with it, and what it has seen."""

    def __init__(self, role, style, options):
        self.pattern = PATTERNS[role]
        self.streams = style == "streams"
        self.keep_open = "eof-close" not in options
        self.idle = "idle" in options
        self.transport = self.reader = self.writer = self.consumer = None
        self.calls = []
        self.written = self.arrived = self.received = self.crc = 0
        self.goal = None  # Protocol style: pause reading once so much has been received.
        self.end = self.lost = "-"
        self.paused = self.was_paused = False
        self.alternates = True
        self.outcomes = []
        self.busy = 0
        self.reports = []
        self.watchers = []

    # ---- What the transport calls

    def made(self, transport):
        self.transport = transport
        if self.idle and not self.streams:
            # Not at once: before 3.11.4 reading starts all the same after connection_made
            # (gh-103607). Nothing has been sent yet.
            asyncio.get_running_loop().call_soon(transport.pause_reading)
        self.called("made")

    def made_streams(self, reader, writer):
        self.reader, self.writer = reader, writer
        writer.transport.set_protocol(Spy(self, writer.transport.get_protocol()))
        self.made(writer.transport)
        if not self.idle:
            self.consume()

    def called(self, name):
        if self.calls[-1:] != [name] or name != "data":
            self.calls.append(name)
        self.changed()

    def flow(self, paused):
        self.alternates = self.alternates and self.paused != paused
        self.paused = paused
        self.was_paused = True
        self.changed()

    def receive(self, data):
        self.received += len(data)
        self.crc = zlib.crc32(data, self.crc)
        if self.goal is not None and self.received >= self.goal:
            self.goal = None
            self.transport.pause_reading()
        self.changed()

    def changed(self):
        for watcher in list(self.watchers):
            watcher()

    # ---- What the driver says

    def perform(self, text):
        self.busy += 1
        actions = [action.split() for action in text.split(";")]
        self.running = asyncio.get_running_loop().create_task(self.run_line(actions))

    async def run_line(self, actions):
        for name, *arguments in actions:
            slot = len(self.outcomes)
            waits = name in ("drain", "wait_closed", "take")
            if waits:
                self.outcomes.append(f"{name} pending")
            try:
                await getattr(self, "do_" + name)(*map(int, arguments))
            except Exception as error:
                if not waits:
                    self.outcomes.append("")
                self.outcomes[slot] = f"{name} {describe(error)}"
            else:
                if waits:
                    self.outcomes[slot] = f"{name} ok"
        self.busy -= 1
        self.changed()

    def piece(self, size):
        start = self.written % len(self.pattern)
        self.written += size
        return (self.pattern * (size // len(self.pattern) + 2))[start:start + size]

    async def do_write(self, size):
        (self.writer or self.transport).write(self.piece(size))

    async def do_writelines(self, *sizes):
        (self.writer or self.transport).writelines([self.piece(size) for size in sizes])

    async def do_write_eof(self):
        (self.writer or self.transport).write_eof()

    async def do_close(self):
        (self.writer or self.transport).close()

    async def do_abort(self):
        self.transport.abort()

    async def do_reset(self):
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    async def do_pause_reading(self):
        self.transport.pause_reading()

    async def do_resume_reading(self):
        self.transport.resume_reading()

    async def do_limits(self, high, low):
        self.transport.set_write_buffer_limits(high, low)

    async def do_drain(self):
        await self.writer.drain()

    async def do_wait_closed(self):
        await self.writer.wait_closed()

    async def do_take(self, size):
        if self.streams:
            try:
                self.receive(await self.reader.readexactly(size))
            except asyncio.IncompleteReadError as error:
                self.receive(error.partial)
                raise
        else:
            self.goal = self.received + size
            self.transport.resume_reading()
            await self.until(lambda: self.goal is None or self.lost != "-")

    async def do_stop(self):
        self.goal = None
        if not self.streams:
            self.transport.pause_reading()
        elif self.consumer:
            self.consumer.cancel()
            self.consumer = None

    async def do_consume(self):
        self.goal = None
        if self.streams:
            self.consume()
        else:
            self.transport.resume_reading()
            self.changed()

    def consume(self):
        self.consumer = asyncio.get_running_loop().create_task(self.run_consumer())

    async def run_consumer(self):
        try:
            while data := await self.reader.read(CHUNK_BYTES):
                self.receive(data)
            self.end = "eof"
        except Exception as error:
            self.end = describe(error)
        self.changed()

    # ---- What the driver asks

    def holds(self, condition, argument):
        match condition:
            case "made":
                return self.transport is not None
            case "received":
                return self.received >= int(argument)
            case "arrived":
                return self.arrived >= int(argument)
            case "eof":
                return "eof" in self.calls
            case "ended":
                return self.end != "-" or self.lost != "-" and not self.streams
            case "lost":
                return self.lost != "-"
            case "paused":
                return self.paused
            case "writable":
                return not self.paused
            case "idle":
                return self.busy == 0
        raise ValueError(condition)

    async def until(self, holds):
        if holds():
            return
        reached = asyncio.get_running_loop().create_future()

        def look():
            if holds() and not reached.done():
                reached.set_result(None)

        self.watchers.append(look)
        await reached
        self.watchers.remove(look)

    def report(self):
        facts = {
            "calls": " ".join(self.calls),
            "received": self.received,
            "crc": f"{self.crc:08x}",
            "end": self.end,
            "lost": self.lost,
            "paused": self.was_paused,
            "alternates": self.alternates,
            "outcomes": " | ".join(self.outcomes),
            "closing": self.transport is not None and self.transport.is_closing(),
            "busy": self.busy,
            "reports": " | ".join(self.reports),
        }
        words = {True: "yes", False: "no"}
        return "\t".join(f"{key}={words[value] if isinstance(value, bool) else value}"
                         for key, value in facts.items())


class Performer:
    def __init__(self):
        self.side = self.server = None
        self.pipe = os.pipe()

    async def serve(self, kind, style, *options):
        side = self.side = Side("server", style, options)
        listener = new_socket(kind)
        if kind == "unix":
            listener.bind(options[-1])
            make_server, start = self.loop.create_unix_server, asyncio.start_unix_server
        else:
            listener.bind(("127.0.0.1", 0))
            make_server, start = self.loop.create_server, asyncio.start_server
        if side.streams:
            self.server = await start(side.made_streams, sock=listener)
        else:
            self.server = await make_server(lambda: Spy(side), sock=listener)
        return options[-1] if kind == "unix" else str(listener.getsockname()[1])

    async def connect(self, kind, style, *options):
        side = self.side = Side("client", style, options)
        connected = new_socket(kind)
        if kind == "unix":
            connected.connect(options[-1])
            make_connection = self.loop.create_unix_connection
            open_streams = asyncio.open_unix_connection
        else:
            connected.connect(("127.0.0.1", int(options[-1])))
            make_connection, open_streams = self.loop.create_connection, asyncio.open_connection
        connected.setblocking(False)
        if side.streams:
            side.made_streams(*await open_streams(sock=connected))
        else:
            await make_connection(lambda: Spy(side), sock=connected)
        return "ok"

    async def finish(self):
        side, self.side = self.side, None
        if self.server:
            self.server.close()
            self.server = None
        if side and side.consumer:
            side.consumer.cancel()
        if side and side.transport and side.lost == "-":
            side.transport.abort()
            await side.until(lambda: side.lost != "-")
        return "ok"

    async def settle(self):
        """Until what the last command did has left: some passes, then once through the poller."""
        for _ in range(SETTLE_PASSES):
            await asyncio.sleep(0)
        came = self.loop.create_future()
        self.loop.add_reader(self.pipe[0], lambda: came.done() or came.set_result(None))
        os.write(self.pipe[1], b"!")
        await came
        self.loop.remove_reader(self.pipe[0])
        os.read(self.pipe[0], 1)

    async def answer(self, line):
        word, _, rest = line.partition(" ")
        reply = "ok"
        if word == "do":
            self.side.perform(rest)
        elif word == "until":
            condition, _, argument = rest.partition(" ")
            await self.side.until(lambda: self.side.holds(condition, argument))
        elif word == "report":
            return self.side.report()
        else:
            reply = await getattr(self, word)(*rest.split())
        await self.settle()
        return reply

    def handle_report(self, _, context):
        if self.side:
            error = context.get("exception")
            self.side.reports.append(
                context["message"] + (f" ({describe(error)})" if error else ""))

    async def main(self):
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(self.handle_report)
        warnings = logging.Handler(logging.WARNING)
        warnings.emit = lambda record: self.side and self.side.reports.append(record.getMessage())
        logging.getLogger("asyncio").addHandler(warnings)
        lines = asyncio.Queue()
        rest = b""

        def read_lines():
            nonlocal rest
            got = os.read(0, 65536)
            *whole, rest = (rest + got).split(b"\n")
            for line in whole if got else [None]:
                lines.put_nowait(line)

        self.loop.add_reader(0, read_lines)
        while (line := await lines.get()) is not None:
            reply = await self.answer(line.decode())
            os.write(1, reply.encode() + b"\n")


if __name__ == "__main__":
    sys.exit(asyncio.run(Performer().main()))
