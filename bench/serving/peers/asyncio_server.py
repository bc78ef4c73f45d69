#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Echo and lines on asyncio, or on uvloop with --uvloop.

    asyncio_server.py protocol | streams | lines [--uvloop]
"""

import asyncio
import sys

READ_BYTES = 2**18


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def echo(reader, writer):
    while data := await reader.read(READ_BYTES):
        writer.write(data)
        await writer.drain()
    writer.close()


async def lines(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def serve(what):
    host, port = "127.0.0.1", 0
    if what == "protocol":
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, host, port, backlog=1024)
    else:
        handler = lines if what == "lines" else echo
        server = await asyncio.start_server(handler, host, port, backlog=1024, limit=2**20)
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.install()
    asyncio.run(serve(sys.argv[1]))
