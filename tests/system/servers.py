# SPDX-License-Identifier: MIT
"""What the tests of the example servers share: start one, ask the system about it, stop it."""

import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from real_programs import real  # noqa: E402, F401  (for the tests, with the rest)

BUILD = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", "build/gcc"))
EXAMPLES = BUILD / "docs" / "examples"
SECONDS = 60  # For anything that should take milliseconds.


def sanitized() -> bool:
    """Sanitizers cost memory and system calls: figures of the build without them mean nothing."""
    return BUILD.name in ("asan", "tsan")


class Server:
    """An example in a child process that prints `listening on HOST:PORT`, or a path, first."""

    def __init__(self, name, *arguments, prefix=(), **options):
        command = [*prefix, str(EXAMPLES / name), *arguments]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            self.process.kill()
            raise AssertionError(f"{name} said {first!r}, {self.process.communicate()[1]!r}")
        self.address = first.removeprefix("listening on ").rstrip("\n").rpartition(":")[2]
        self.port = int(self.address) if self.address.isdigit() else None
        self.pid = self._server_pid() if prefix else self.process.pid

    def _server_pid(self) -> int:
        """Under strace the server is the child of the process we started."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def connect(self, source=None) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), SECONDS, source)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def stop(self, number=signal.SIGINT):
        """Exit code, standard output after the first line, standard error."""
        os.kill(self.pid, number)
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self.process.communicate()

    def resident_bytes(self) -> int:
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def open_descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def wait_for_descriptors(self, most: int) -> None:
        """Until the server, once it is scheduled, has let go of its connections."""
        poll = select.poll()
        for _ in range(SECONDS * 100):
            if self.open_descriptors() <= most:
                return
            poll.poll(10)
        raise AssertionError(f"{self.open_descriptors()} descriptors are still open")


def read_exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = client.recv(count - len(data))
        if not more:
            raise AssertionError(f"the stream ended after {data!r}")
        data += more
    return data


def read_to_end(client: socket.socket) -> bytes:
    """Until the server closes. A reset is an end too: it closed with bytes of ours unread."""
    data = b""
    try:
        while more := client.recv(1 << 20):
            data += more
    except ConnectionResetError:
        pass
    return data


def talk(server: Server, data: bytes, half_close: bool = True) -> bytes:
    """What the server says to `data`, until it closes. Sends and receives at the same time."""

    def send() -> None:
        try:
            client.sendall(data)
            if half_close:
                client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # The server closed first, which is its right after an error.

    with server.connect() as client:
        sender = threading.Thread(target=send)
        sender.start()
        got = read_to_end(client)
        sender.join(SECONDS)
    return got
