# SPDX-License-Identifier: MIT
"""docs/examples/line_echo as its clients and the kernel see it: answers, system calls, memory."""

import asyncio
import os
import pathlib
import re
import resource
import select
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from servers import SECONDS, Server, read_exactly, sanitized

LINE = b"forty bytes are a line of a usual chat.\n"
assert len(LINE) == 40


class Answers(unittest.TestCase):
    def test_a_line_comes_back_whole_however_it_was_cut(self):
        with Server("line_echo") as server, server.connect() as client:
            for byte in LINE:
                client.sendall(bytes([byte]))
            self.assertEqual(read_exactly(client, len(LINE)), LINE)

    def test_the_last_line_without_a_newline_comes_back_after_half_close(self):
        with Server("line_echo") as server, server.connect() as client:
            client.sendall(b"one\ntwo")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_exactly(client, 7), b"one\ntwo")
            self.assertEqual(client.recv(1), b"")

    def test_nc_gets_its_lines_back(self):
        with Server("line_echo") as server:
            got = subprocess.run(
                ["nc", "-N", "127.0.0.1", str(server.port)],
                input=b"a\nbb\nccc",
                capture_output=True,
                timeout=SECONDS,
            )
        self.assertEqual(got.stdout, b"a\nbb\nccc")

    def test_asyncio_streams_of_cpython_get_a_megabyte_back(self):
        lines = [b"%d " % n + b"x" * (n % 500) + b"\n" for n in range(4000)]

        async def talk(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)

            async def send():
                for line in lines:
                    writer.write(line)
                    await writer.drain()
                writer.write_eof()

            sending = asyncio.create_task(send())
            got = [line async for line in reader]
            await sending
            writer.close()
            await writer.wait_closed()
            return got

        with Server("line_echo") as server:
            self.assertEqual(asyncio.run(asyncio.wait_for(talk(server.port), SECONDS)), lines)

    def test_an_interrupt_ends_it_while_a_client_is_idle(self):
        with Server("line_echo") as server, server.connect() as client:
            client.sendall(LINE)
            read_exactly(client, len(LINE))
            code, _, err = server.stop()
            self.assertEqual((code, err), (130, ""))
            self.assertEqual(client.recv(1), b"")


class OnThreads(unittest.TestCase):
    def threads_of(self, server) -> int:
        return len(os.listdir(f"/proc/{server.pid}/task"))

    def test_lines_come_back_over_every_loop(self):
        with Server("line_echo", "--threads", "3") as server:
            self.assertIn(self.threads_of(server), (4, 5))  # A sanitizer has one, too.
            for _ in range(3):
                with server.connect() as client:
                    client.sendall(LINE)
                    self.assertEqual(read_exactly(client, len(LINE)), LINE)

    def stopped_by(self, number):
        with Server("line_echo", "--threads", "2") as server:
            clients = [server.connect() for _ in range(2)]
            for client in clients:
                client.sendall(LINE)
                read_exactly(client, len(LINE))
            code, _, err = server.stop(number)
            for client in clients:
                with client:
                    try:
                        self.assertEqual(client.recv(1), b"")
                    except ConnectionResetError:
                        pass
            return code, err

    def test_a_termination_ends_it_well_while_clients_are_idle(self):
        self.assertEqual(self.stopped_by(signal.SIGTERM), (0, ""))

    def test_an_interrupt_ends_it_while_clients_are_idle(self):
        self.assertEqual(self.stopped_by(signal.SIGINT), (130, ""))

    def test_system_calls_for_a_line_are_those_of_one_loop(self):
        rounds = 200
        with Server("line_echo", "--threads", "2", "--account") as server:
            with server.connect() as client:
                ping_pong(client, rounds, 1)
            _, out, _ = server.stop(signal.SIGTERM)
        polls, receives, sends = map(int, re.findall(r"\d+", out))
        self.assertLessEqual(polls, rounds + 20)
        self.assertLessEqual(receives, rounds + 1)
        self.assertEqual(sends, rounds)


def ping_pong(client, rounds, lines):
    batch = LINE * lines
    for _ in range(rounds):
        client.sendall(batch)
        read_exactly(client, len(batch))


def calls_of(trace: str) -> dict:
    """strace -c: calls by name."""
    calls = {}
    for line in trace.splitlines():
        fields = line.split()
        if len(fields) >= 5 and re.fullmatch(r"[\d.]+", fields[0]) and fields[-1] != "total":
            calls[fields[-1]] = int(fields[3])
    return calls


def measure(rounds, lines):
    """System calls by strace, and by the server's own account, of one and the same run."""
    with tempfile.TemporaryDirectory() as folder:
        trace = pathlib.Path(folder) / "trace"
        strace = ("strace", "-f", "-c", "-o", str(trace))
        with Server("line_echo", "--account", prefix=strace) as server:
            with server.connect() as client:
                ping_pong(client, rounds, lines)
            _, out, _ = server.stop()
        account = [int(number) for number in re.findall(r"\d+", out)]
        return calls_of(trace.read_text()), account


class SystemCalls(unittest.TestCase):
    def check_agreement(self, strace, account):
        waits = strace.get("epoll_wait", 0) + strace.get("poll", 0)
        self.assertEqual([waits, strace.get("recvfrom", 0), strace.get("sendto", 0)], account)

    def check_cost(self, few, many, lines, most):
        first, first_account = measure(few, lines)
        second, second_account = measure(many, lines)
        count = (many - few) * lines
        # The emulation of kevent() makes system calls of its own.
        if not sanitized() and os.environ.get("WEIR_POLLER") != "kqueue":
            self.check_agreement(first, first_account)
            self.check_agreement(second, second_account)
            cost = (sum(second.values()) - sum(first.values())) / count
            print(f"  strace: {cost:.2f} system calls a line with {lines} lines a batch")
            self.assertLessEqual(round(cost, 2), most)
        counted = (sum(second_account) - sum(first_account)) / count
        print(f"  counting kernel: {counted:.2f} system calls a line with {lines} lines a batch")
        self.assertLessEqual(round(counted, 2), most)

    def test_a_ping_pong_costs_three_system_calls(self):
        self.check_cost(10_000, 20_000, 1, 3.00)

    def test_sixteen_lines_a_batch_cost_a_fifth_of_a_system_call_each(self):
        self.check_cost(500, 1_000, 16, 0.20)


class Descriptors:
    """Room for ten thousand connections here, and in the children."""

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.before[1], self.before[1]))
        return self.before[1]

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_NOFILE, self.before)


class Memory(unittest.TestCase):
    CONNECTIONS = 10_000

    def open_idle(self, server, count):
        """Connections whose handlers have answered once and wait in readline."""
        clients = []
        for number in range(count):
            clients.append(server.connect((f"127.0.0.{2 + number % 8}", 0)))
            clients[-1].sendall(LINE)
            if number % 64 == 63 or number == count - 1:
                for client in clients[number - number % 64 :]:
                    read_exactly(client, len(LINE))
        return clients

    def test_an_idle_connection_costs_at_most_two_kibibytes(self):
        with Descriptors() as limit:
            count = min(self.CONNECTIONS, limit - 100)
            with Server("line_echo") as server:
                idle_descriptors = server.open_descriptors()
                costs = []
                for _ in range(2):
                    before = server.resident_bytes()
                    clients = self.open_idle(server, count)
                    costs.append((server.resident_bytes() - before) / count)
                    for client in clients:
                        client.close()
                    server.wait_for_descriptors(idle_descriptors)
        print(f"  bytes an idle connection: {costs[0]:.0f} cold, {costs[1]:.0f} after a warm-up")
        if not sanitized():
            self.assertLessEqual(max(costs), 2048)


class OutOfDescriptors(unittest.TestCase):
    def attempts(self, trace):
        """(time, whether it worked) of every accept."""
        found = []
        for line in trace.read_text().splitlines():
            match = re.search(r"([\d.]+) accept4\(.* = (-?\d+)( E\w+)?", line)
            if match and match[3] != " EAGAIN":
                found.append((float(match[1]), int(match[2]) >= 0))
        return found

    def test_a_full_server_backs_off_and_loses_nobody(self):
        limit = 64

        def lower():
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

        with tempfile.TemporaryDirectory() as folder, Descriptors():
            trace = pathlib.Path(folder) / "trace"
            strace = ("strace", "-f", "-ttt", "-e", "trace=accept4", "-o", str(trace))
            with Server("line_echo", prefix=strace, preexec_fn=lower) as server:
                clients = [server.connect() for _ in range(200)]
                for client in clients:
                    client.sendall(LINE)
                released = []
                waiting = set(clients)
                while waiting:
                    ready, _, _ = select.select(list(waiting), [], [], 2.5)
                    if ready:
                        for client in ready:
                            self.assertEqual(read_exactly(client, len(LINE)), LINE)
                            waiting.remove(client)
                        continue
                    # Nobody else is served: for two and a half seconds the server has been full.
                    released.append(time.time())
                    for client in clients:
                        if client not in waiting:
                            client.close()
                    clients = list(waiting)
                for client in clients:
                    client.close()
                _, _, err = server.stop()
            accepts = self.attempts(trace)

        self.assertEqual(sum(worked for _, worked in accepts), 200)
        self.assertIn("socket.accept() out of system resource", err)
        refused = [at for at, worked in accepts if not worked]
        self.assertGreaterEqual(len(refused), 3)
        for at in refused:
            self.assertLessEqual(sum(at <= other < at + 1 for other in refused), 2)
        for freed in released:
            recovered = min(at for at, worked in accepts if worked and at > freed) - freed
            print(f"  accepts again {recovered:.2f} s after descriptors came back")
            self.assertLessEqual(recovered, 1.1)


if __name__ == "__main__":
    unittest.main()
