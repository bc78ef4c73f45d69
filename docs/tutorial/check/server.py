# SPDX-License-Identifier: MIT
"""A program of the tutorial while it runs, and its clients.

Nothing here sleeps for a fixed time and hopes. What must come is waited for, until the program has
been asleep for a second: a program that is only slow, on a machine that is busy, is not asleep. And
settle() finds out from /proc when a program has done all that it was given.
"""

import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

GUARD = 60.0  # Seconds, after which we give up, whatever the program does.
PACE = 0.05  # Seconds between two looks at a program from which nothing comes.
ASLEEP = 20  # So many times in a row it was asleep: nothing will come any more.
BUSY = 1.0  # Seconds of processor time, for nothing: it will not sleep any more.


class Hint(Exception):
    """A check has failed. `name` says how, `text` is for the one who wrote the program."""

    def __init__(self, name: str, text: str):
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


def expect(truth: bool, name: str, text: str) -> None:
    if not truth:
        raise Hint(name, text)


class Silence:
    """Nothing comes from a program: has it just not got round to it, or will it never come?"""

    def __init__(self, server: "Server"):
        self.server = server
        self.asleep = 0
        self.begin = time.monotonic()

    def lasts(self) -> bool:
        """To be asked at every PACE."""
        self.asleep = self.asleep + 1 if self.server.state() in "SZ" else 0
        return self.asleep >= ASLEEP or time.monotonic() - self.begin > GUARD


class Client:
    """A connection to the program. Its calls never raise: check what they return."""

    def __init__(self, server: "Server"):
        self.server = server
        self.ended = ""  # Why receive() came back early: "eof", "reset", "silence".
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=GUARD)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError:
            self.ended = "reset"

    def receive(self, count: int) -> bytes:
        """Up to `count` bytes: less if the stream ends, or if nothing comes for too long."""
        got = bytearray()
        silence = Silence(self.server)
        self.socket.settimeout(PACE)
        while len(got) < count:
            try:
                piece = self.socket.recv(count - len(got))
            except TimeoutError:
                if silence.lasts():
                    self.ended = "silence"
                    break
                continue
            except OSError:
                self.ended = "reset"
                break
            if not piece:
                self.ended = "eof"
                break
            got += piece
            silence = Silence(self.server)
        self.socket.settimeout(GUARD)
        return bytes(got)

    def receive_all(self) -> bytes:
        """Everything until the stream ends; look at `ended`."""
        return self.receive(1 << 30)

    def receive_line(self) -> bytes:
        """Up to the next end of line, without it; less if that does not come."""
        line = bytearray()
        while not line.endswith(b"\n"):
            byte = self.receive(1)
            if not byte:
                break
            line += byte
        return bytes(line).rstrip(b"\r\n")

    def ask(self, data: bytes) -> bytes:
        """Sends, and gives back as many bytes as it has sent."""
        self.send(data)
        return self.receive(len(data))

    def there(self) -> bytes:
        """What has come and was not received yet."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1 << 20)
        except BlockingIOError:
            return b""
        except OSError:
            self.ended = "reset"
            return b""
        finally:
            self.socket.settimeout(GUARD)

    def pump(self, data: bytes, window: int = 1 << 15) -> bytes:
        """Sends and receives at the same time, until as much has come back as was sent; never has
        more than `window` bytes under way."""
        got = bytearray()
        rest = memoryview(data)
        silence = Silence(self.server)
        self.socket.setblocking(False)
        while len(got) < len(data):
            room = window - (len(data) - len(rest) - len(got))
            readable, writable, _ = select.select(
                [self.socket], [self.socket] if rest and room > 0 else [], [], PACE)
            if not readable and not writable:
                if silence.lasts():
                    self.ended = "silence"
                    break
                continue
            silence = Silence(self.server)
            try:
                if writable:
                    rest = rest[self.socket.send(rest[:room]):]
                if readable:
                    piece = self.socket.recv(1 << 18)
                    if not piece:
                        self.ended = "eof"
                        break
                    got += piece
            except BlockingIOError:
                continue
            except OSError:
                self.ended = "reset"
                break
        self.socket.settimeout(GUARD)
        return bytes(got)

    def end(self) -> None:
        """Sends no more, still receives."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.ended = "reset"

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Leaves without a farewell: the other side gets ECONNRESET."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Server:
    """A program that listens. Use it in a `with`."""

    def __init__(self, program: pathlib.Path, arguments: list[str]):
        self.clients: list[Client] = []
        self.errors = tempfile.TemporaryFile()
        # AddressSanitizer holds back what was freed: checks of what a program keeps would see it.
        environment = {"ASAN_OPTIONS": "quarantine_size_mb=1", **os.environ}
        self.process = subprocess.Popen([str(program), "0", *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.errors,
                                        env=environment)
        self.port = self._read_port()

    def _read_port(self) -> int:
        output = self.process.stdout
        line = b""
        if select.select([output], [], [], GUARD)[0]:
            line = output.readline()
        words = line.split(b":")
        if len(words) != 2 or not words[1].strip().isdigit():
            self.stop()
            raise Hint("no-port", "The program must first print \"listening on 127.0.0.1:PORT\". "
                       f"It printed {line!r}.")
        return int(words[1])

    def connect(self) -> Client:
        try:
            self.clients.append(Client(self))
        except OSError as error:
            raise Hint("refused", f"A client cannot connect: {error.strerror}. Does the program "
                       "still run?") from error
        return self.clients[-1]

    # ---- What it is doing

    def state(self) -> str:
        """R runs, S sleeps, T is frozen, Z has ended: proc(5)."""
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        except OSError:
            return "Z"
        return status.rpartition(")")[2].split()[0]

    def peak_memory(self) -> int:
        """The most memory that it has had, in KiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0])

    def _processor_time(self) -> float:
        status = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        ticks = status.rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def sleeps(self) -> bool:
        """Whether it comes to rest: asleep, twenty times one after the other. If not, it has used
        the processor for a second.
        """
        begin = time.monotonic()
        used = self._processor_time()
        in_a_row = 0
        while in_a_row < 20:
            in_a_row = in_a_row + 1 if self.state() == "S" else 0
            if self._processor_time() - used > BUSY or time.monotonic() - begin > GUARD:
                return False
            time.sleep(0.001)  # Only the pace of looking.
        return True

    def _in_flight(self) -> int:
        """Bytes, and clients, that wait in the kernel on either side of its connections."""
        wanted = f":{self.port:04X}"
        total = 0
        with open("/proc/net/tcp", encoding="ascii") as table:
            for line in list(table)[1:]:
                _, local, remote, _, queues, *_ = line.split()
                sending, receiving = queues.split(":")
                if local.endswith(wanted):
                    total += int(receiving, 16)
                if remote.endswith(wanted):
                    total += int(sending, 16)
        return total

    def settle(self) -> bool:
        """Waits until it has taken all that was sent to it, and sleeps. False if it never does."""
        silence = Silence(self)
        looks = 0
        while not (self._in_flight() == 0 and self.state() in "SZ"):
            time.sleep(0.001)  # Only the pace of looking.
            looks += 1
            if looks % (PACE * 1000) == 0 and silence.lasts():
                return False
        return True

    # ---- What we do to it

    def freeze(self) -> None:
        """Stops it, so that what happens now it sees all at once after thaw()."""
        self.process.send_signal(signal.SIGSTOP)
        while self.state() not in "TZ":
            time.sleep(0.001)  # Only the pace of looking.

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_status(self) -> int | None:
        """What it ended with (a signal as a negative number), or None if it does not end."""
        silence = Silence(self)
        while True:
            try:
                return self.process.wait(PACE)
            except subprocess.TimeoutExpired:
                if silence.lasts():
                    return None

    def obituary(self) -> str:
        """What there is to say about a program that has ended by itself."""
        status = self.process.poll()
        if status is None:
            return ""
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip()
        how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
        return f"(The program had ended, {how}.)" + (f"\n{said}" if said else "")

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()
