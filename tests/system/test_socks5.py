# SPDX-License-Identifier: MIT
"""docs/examples/socks5 between clients and targets, real ones and such as misbehave."""

import http.server
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from servers import SECONDS, Server, read_exactly, read_to_end, real, sanitized

KIB = 1 << 10
MIB = 1 << 20

HELLO = b"\5\1\0"
GRANTED, FAILED, UNREACHABLE_HOST, REFUSED, NO_COMMAND, NO_TYPE = 0, 1, 4, 5, 7, 8


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def ipv4(host: str, port: int) -> bytes:
    return b"\1" + socket.inet_aton(host) + struct.pack("!H", port)


def ipv6(host: str, port: int) -> bytes:
    return b"\4" + socket.inet_pton(socket.AF_INET6, host) + struct.pack("!H", port)


def name(host: bytes, port: int) -> bytes:
    return b"\3" + bytes([len(host)]) + host + struct.pack("!H", port)


def connect_to(address: bytes, command=1) -> bytes:
    return b"\5" + bytes([command]) + b"\0" + address


class SocksTest(unittest.TestCase):
    OPTIONS = ()

    def setUp(self):
        self.server = self.enterContext(Server("socks5", "--port", "0", *self.OPTIONS))

    def listen(self, host="127.0.0.1") -> tuple[socket.socket, int]:
        """A target, and its port."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        target = self.enterContext(socket.socket(family))
        target.bind((host, 0))
        target.listen()
        target.settimeout(SECONDS)
        return target, target.getsockname()[1]

    def read_reply(self, client) -> tuple[int, tuple]:
        """The code, and the address."""
        version, code, zero, kind = read_exactly(client, 4)
        self.assertEqual((version, zero), (5, 0))
        raw = read_exactly(client, 4 if kind == 1 else 16)
        text = socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, raw)
        return code, (text, struct.unpack("!H", read_exactly(client, 2))[0])

    def open(self, target=None) -> tuple[socket.socket, socket.socket]:
        """The client's end, and the target's, of a connection through the proxy."""
        listener, port = target or self.listen()
        client = self.enterContext(self.server.connect())
        client.sendall(HELLO + connect_to(ipv4("127.0.0.1", port)))
        self.assertEqual(read_exactly(client, 2), b"\5\0")
        self.assertEqual(self.read_reply(client)[0], GRANTED)
        far = self.enterContext(listener.accept()[0])
        far.settimeout(SECONDS)
        return client, far

    def code_for(self, request: bytes) -> int:
        with self.server.connect() as client:
            client.sendall(HELLO + request)
            self.assertEqual(read_exactly(client, 2), b"\5\0")
            code, _ = self.read_reply(client)
            if code != GRANTED:
                self.assertEqual(client.recv(1), b"")
            return code


class Requests(SocksTest):
    def test_all_three_kinds_of_address_are_reached(self):
        listener, port = self.listen()
        for address in (
            ipv4("127.0.0.1", port), name(b"127.0.0.1", port), name(b"localhost", port)
        ):  # fmt: skip
            with self.subTest(address=address):
                self.assertEqual(self.code_for(connect_to(address)), GRANTED)
                listener.accept()[0].close()

    @unittest.skipUnless(has_ipv6(), "not installed: IPv6 (no package: the machine has none)")
    def test_ipv6_is_reached(self):
        _, port = self.listen("::1")
        self.assertEqual(self.code_for(connect_to(ipv6("::1", port))), GRANTED)

    def test_the_reply_has_the_address_that_the_target_sees(self):
        listener, port = self.listen()
        with self.server.connect() as client:
            client.sendall(HELLO + connect_to(ipv4("127.0.0.1", port)))
            read_exactly(client, 2)
            code, bound = self.read_reply(client)
            far, address = listener.accept()
            far.close()
            self.assertEqual((code, bound), (GRANTED, address))

    def test_each_failure_has_its_code(self):
        closed = socket.socket()
        closed.bind(("127.0.0.1", 0))  # Nobody listens.
        port = closed.getsockname()[1]
        self.addCleanup(closed.close)
        for request, code in (
            (connect_to(ipv4("127.0.0.1", port)), REFUSED),
            (connect_to(name(b"127.0.0.1", port)), REFUSED),
            (connect_to(name(b"localhost", port)), REFUSED),
            (connect_to(name(b"no-such-name.invalid", port)), UNREACHABLE_HOST),
            (connect_to(name(b"", port)), FAILED),
            (connect_to(name(b"127.0.0.1\0.example", port)), FAILED),
            (connect_to(name(b"a" * 255, port)), FAILED),
            (connect_to(ipv4("127.0.0.1", port), command=2), NO_COMMAND),
            (connect_to(ipv4("127.0.0.1", port), command=3), NO_COMMAND),
            (connect_to(b"\2"), NO_TYPE),
            (b"\4" + connect_to(b"\1")[1:], FAILED),
        ):
            with self.subTest(request=request):
                self.assertEqual(self.code_for(request), code)

    def test_who_insists_on_a_password_is_refused(self):
        for methods in b"\5\1\2", b"\5\0", b"\5\2\1\2":
            with self.subTest(methods=methods), self.server.connect() as client:
                client.sendall(methods)
                self.assertEqual(read_to_end(client), b"\5\xff")

    def test_what_is_not_socks5_ends_without_a_word(self):
        with self.server.connect() as client:
            client.sendall(b"\4\1")
            self.assertEqual(read_to_end(client), b"")

    def test_a_request_is_understood_however_it_was_cut(self):
        listener, port = self.listen()
        with self.server.connect() as client:
            for byte in HELLO + connect_to(name(b"localhost", port)) + b"and more":
                client.sendall(bytes([byte]))
            self.assertEqual(read_exactly(client, 2), b"\5\0")
            self.assertEqual(self.read_reply(client)[0], GRANTED)
            with listener.accept()[0] as far:
                self.assertEqual(read_exactly(far, 8), b"and more")


class Ends(SocksTest):
    def test_the_client_may_end_its_half_and_still_listen(self):
        client, far = self.open()
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(read_to_end(far), b"question")
        far.sendall(b"answer")
        self.assertEqual(read_exactly(client, 6), b"answer")
        far.close()
        self.assertEqual(client.recv(1), b"")

    def test_the_target_may_end_its_half_and_still_listen(self):
        client, far = self.open()
        far.sendall(b"greeting")
        far.shutdown(socket.SHUT_WR)
        self.assertEqual(read_to_end(client), b"greeting")
        client.sendall(b"answer")
        self.assertEqual(read_exactly(far, 6), b"answer")
        client.close()
        self.assertEqual(far.recv(1), b"")

    def test_a_reset_is_handed_on_as_one(self):
        for breaks in "client", "target":
            with self.subTest(breaks=breaks):
                client, far = self.open()
                one, other = (client, far) if breaks == "client" else (far, client)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.close()
                with self.assertRaises(ConnectionResetError):
                    other.recv(1)

    def test_afterwards_no_descriptor_is_left(self):
        idle = self.server.open_descriptors()
        target = self.listen()
        for _ in range(20):
            client, far = self.open(target)
            client.close()
            far.close()
        self.server.wait_for_descriptors(idle)


class SlowSide(SocksTest):
    def push(self, source, sink, size) -> None:
        """So much from one to the other, who reads it slowly; meanwhile, the memory."""
        size = size if not sanitized() else 16 * MIB
        block = os.urandom(MIB)
        before = self.server.resident_bytes()
        stalled = threading.Event()

        def send():
            source.settimeout(0.2)
            sent = 0
            while sent < size:
                try:
                    sent += source.send(block[sent % MIB :])
                except TimeoutError:  # Nobody reads: every buffer on the way is full.
                    stalled.set()
            source.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        self.assertTrue(stalled.wait(SECONDS), "the sender was never held back")
        most = self.server.resident_bytes()
        started, got = time.monotonic(), 0
        while data := sink.recv(MIB):
            at = got % MIB
            self.assertEqual(data, (block + block)[at : at + len(data)])
            if (got + len(data)) // (8 * MIB) != got // (8 * MIB):
                most = max(most, self.server.resident_bytes())
                time.sleep(0.001)
            got += len(data)
        sender.join(SECONDS)
        self.assertEqual(got, size)
        print(
            f"  {size // MIB} MiB to a slow side in {time.monotonic() - started:.1f} s;"
            f" the proxy grew by {(most - before) // KIB} KiB"
        )
        if not sanitized():
            self.assertLess(most - before, 2 * MIB)

    def test_a_gibibyte_to_a_slow_target_takes_no_memory(self):
        client, far = self.open()
        self.push(client, far, 1024 * MIB)

    def test_a_download_by_a_slow_client_takes_no_memory(self):
        client, far = self.open()
        self.push(far, client, 128 * MIB)


class RealClients(SocksTest):
    @real("nc", "netcat-openbsd")
    def test_nc_talks_through_it(self):
        listener, port = self.listen()
        with subprocess.Popen(
            ["nc", "-N", "-X", "5", "-x", f"127.0.0.1:{self.server.port}", "localhost", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as client:
            with listener.accept()[0] as far:
                client.stdin.write(b"question\n")
                client.stdin.close()
                self.assertEqual(read_to_end(far), b"question\n")
                far.sendall(b"answer\n")
            self.assertEqual(client.stdout.read(), b"answer\n")
            self.assertEqual(client.wait(SECONDS), 0)

    @real("curl", "curl")
    def test_curl_fetches_a_page_by_name_and_by_address(self):
        data = os.urandom(3 * MIB)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        pathlib.Path(folder, "page").write_bytes(data)
        with Server("http", "--port", "0", "--folder", folder) as web:
            for option in "--socks5-hostname", "--socks5":
                got = subprocess.run(
                    ["curl", "-sS", option, f"127.0.0.1:{self.server.port}",
                     f"http://localhost:{web.port}/page"],
                    capture_output=True,
                    timeout=SECONDS,
                )  # fmt: skip
                self.assertEqual((got.stdout == data, got.stderr), (True, b""))

    @real("curl", "curl")
    def test_curl_is_told_that_a_port_is_closed(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            got = subprocess.run(
                ["curl", "-sS", "--socks5-hostname", f"127.0.0.1:{self.server.port}",
                 f"http://127.0.0.1:{closed.getsockname()[1]}/"],
                capture_output=True,
                timeout=SECONDS,
            )  # fmt: skip
        self.assertEqual(got.returncode, 97)  # CURLE_PROXY
        self.assertIn(b"(5)", got.stderr)


class Draining(SocksTest):
    OPTIONS = ("--grace", "60000")

    def test_a_signal_ends_it_while_clients_wait(self):
        with self.server.connect() as client:
            client.sendall(HELLO)
            self.assertEqual(read_exactly(client, 2), b"\5\0")
            self.assertEqual(self.server.stop(signal.SIGTERM), (0, "", ""))
            self.assertEqual(read_to_end(client), b"")

    def test_what_passes_through_may_end_by_itself(self):
        client, far = self.open()
        waiting = self.enterContext(self.server.connect())
        waiting.sendall(HELLO)
        read_exactly(waiting, 2)
        os.kill(self.server.pid, signal.SIGTERM)
        self.assertEqual(waiting.recv(1), b"")  # It drains now.
        client.sendall(b"question")
        self.assertEqual(read_exactly(far, 8), b"question")
        client.close()
        far.close()
        self.assertEqual(self.server.process.wait(SECONDS), 0)


class Grace(SocksTest):
    OPTIONS = ("--grace", "50")

    def test_what_does_not_end_is_cut_when_the_grace_is_over(self):
        client, far = self.open()
        self.assertEqual(self.server.stop(signal.SIGTERM), (0, "", ""))
        self.assertEqual((read_to_end(client), read_to_end(far)), (b"", b""))


if __name__ == "__main__":
    unittest.main()
