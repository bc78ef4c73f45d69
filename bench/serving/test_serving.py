# SPDX-License-Identifier: MIT
"""The load generator notices a server that is wrong; weir's servers are not; verdicts are true."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import costs  # noqa: E402
import pages  # noqa: E402
import report  # noqa: E402
import threads  # noqa: E402
from contest import DISTURBED, Effort, Patience, contest, summary, undisturbed  # noqa: E402
from field import FLOORS, Cell, Contestant, cells, own  # noqa: E402
from ratios import Results, floor_ratios, latency_ratios, line_ratios, peer_ratios  # noqa: E402
from runs import Run, RunError, Server, finish_load, run, start_load  # noqa: E402
from wanted import Row  # noqa: E402

BUILD = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", "build/gcc")).resolve()
PROGRAMS = BUILD / "bench" / "serving"
REQUESTS_OF_A_WRONG_SERVER = 40


class OneClient:
    """A server for one client, on a thread: `answer(sock)` does what it likes with it."""

    def __init__(self, answer):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answer = answer
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        with self.listener.accept()[0] as client:
            self.answer(client)
            while True:  # Until the load generator goes away, however that looks.
                try:
                    if not client.recv(65536):
                        return
                except OSError:
                    return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join()
        self.listener.close()


def line_of(client):
    line = b""
    while not line.endswith(b"\n"):
        line += client.recv(64 - len(line))
    return line


def complaint_about(answer) -> str:
    """What the load generator says of a server."""
    cell = Cell("echo", 64, 1, 1)
    with OneClient(answer) as server:
        options = ("--batches", REQUESTS_OF_A_WRONG_SERVER)
        try:
            finish_load(start_load(PROGRAMS, server.port, cell, *options))
        except RunError as error:
            return str(error)
    return ""


class TheLoadGenerator(unittest.TestCase):
    def test_a_right_server_is_not_complained_about(self):
        def answer(client):
            for _ in range(REQUESTS_OF_A_WRONG_SERVER):
                client.sendall(line_of(client))

        self.assertEqual(complaint_about(answer), "")

    def test_a_changed_byte_is_found_where_it_is(self):
        def answer(client):
            client.sendall(line_of(client))
            wrong = bytearray(line_of(client))
            wrong[10] ^= 1
            client.sendall(wrong)

        self.assertIn("byte 74: the answer is not what was sent", complaint_about(answer))

    def test_a_dropped_byte_is_noticed(self):
        def answer(client):
            client.sendall(line_of(client)[1:] + b"x")

        self.assertIn("byte 0: the answer is not what was sent", complaint_about(answer))

    def test_an_answer_given_twice_is_noticed(self):
        def answer(client):
            client.sendall(2 * line_of(client))

        self.assertIn("sent more than it was asked for", complaint_about(answer))

    def test_an_old_answer_is_noticed(self):
        def answer(client):
            first = line_of(client)
            client.sendall(first)
            line_of(client)
            client.sendall(first)

        self.assertIn("byte 64: the answer is not what was sent", complaint_about(answer))

    def test_a_server_that_hangs_up_is_noticed(self):
        def answer(client):
            line_of(client)
            client.shutdown(socket.SHUT_WR)

        self.assertIn("the server closed the connection", complaint_about(answer))

    def test_every_answer_is_counted(self):
        with Server((str(PROGRAMS / "raw_echo"),)) as server:
            cell = Cell("echo", 100, 3, 4)
            seen = finish_load(start_load(PROGRAMS, server.port, cell, "--batches", 5))
        self.assertEqual((seen["requests"], seen["bytes"]), (60, 6000))

    def test_without_a_server_it_says_so(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with self.assertRaisesRegex(RunError, "connect: Connection refused"):
            finish_load(start_load(PROGRAMS, port, Cell("echo", 64, 1, 1)))

    def test_a_wrong_option_is_refused(self):
        command = [str(PROGRAMS / "load"), "--port", "1", "--bytes", "0"]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)


class TheServers(unittest.TestCase):
    def test_each_of_ours_answers_rightly(self):
        for contestant in own(PROGRAMS):
            for cell in (Cell(contestant.kind, 64, 20, 16), Cell(contestant.kind, 102400, 2, 3)):
                with self.subTest(contestant=contestant.name, cell=str(cell)):
                    seen = run(PROGRAMS, contestant, cell, 0, 0.1)
                    self.assertGreater(seen.rate, 0)

    def test_one_that_answers_nothing_in_time_has_more(self):
        cell = Cell("echo", 102400, 100, 1)
        slow = Contestant("slow", "echo", (str(PROGRAMS / "raw_echo"),))
        self.assertGreater(run(PROGRAMS, slow, cell, 0, 0.0001).rate, 0)

    def test_one_that_cannot_start_is_named(self):
        with self.assertRaisesRegex(RunError, "weir_streams nonsense said"):
            Server((str(PROGRAMS / "weir_streams"), "nonsense"))


def a_run(cpu_ns=1.0, others=0.0):
    return Run(1e9 / cpu_ns, cpu_ns, 1.0, 2.0, 3.0, others)


class TwoLoops(unittest.TestCase):
    def test_they_tell_their_connections_when_they_are_stopped(self):
        both = threads.contestants(PROGRAMS)
        cell = Cell("echo", 64, 10, 1)
        seen, said = threads.run(PROGRAMS, both["two"], cell, Effort(0.0, 0.2))
        self.assertEqual(said, "connections: 5 5\n")
        self.assertGreater(seen.cpu_ns, 0)

    def test_the_larger_share_is_that_of_the_busier_loop(self):
        self.assertEqual(threads.larger_share("connections: 30 70\n"), 0.7)
        with self.assertRaises(RunError):
            threads.larger_share("")


class TheContest(unittest.TestCase):
    def test_the_order_alternates(self):
        order = []

        def run_once(contestant):
            order.append(contestant.name)
            return a_run()

        both = [Contestant("a", "echo", ()), Contestant("b", "echo", ())]
        contest(both, 3, run_once, Patience())
        self.assertEqual("".join(order), "abbaab")

    def test_a_disturbed_run_is_repeated(self):
        runs = iter([a_run(5, others=0.5), a_run(4)])
        self.assertEqual(undisturbed(lambda: next(runs), Patience()).cpu_ns, 4)

    def test_after_some_attempts_the_least_disturbed_counts(self):
        runs = iter([a_run(1, 0.5), a_run(2, 0.3), a_run(3, 0.4), a_run(4)])
        self.assertEqual(undisturbed(lambda: next(runs), Patience()).cpu_ns, 2)

    def test_patience_is_for_the_whole_run(self):
        patience = Patience(repeats=3)
        runs = iter([a_run(number, others=0.5) for number in range(1, 9)])
        for first in (1, 4, 6):  # Two repeats, one, none.
            self.assertEqual(undisturbed(lambda: next(runs), patience).cpu_ns, first)

    def test_a_server_of_large_requests_has_a_buffer_for_them(self):
        owner = Contestant("Asio", "echo", ("asio",), takes_buffer=True)
        self.assertEqual(owner.command_for(1024), ("asio",))
        self.assertEqual(owner.command_for(100 * 1024), ("asio", "262144"))
        self.assertEqual(Contestant("libuv", "echo", ("uv",)).command_for(100 * 1024), ("uv",))

    def test_a_summary_has_medians_and_extremes(self):
        seen = summary([a_run(1), a_run(9), a_run(2, others=2 * DISTURBED)])
        wanted = {"cpu_ns": 2, "cpu_ns_min": 1, "cpu_ns_max": 9, "runs": 3, "disturbed": 1}
        self.assertEqual({name: seen[name] for name in wanted}, wanted)


def results(cell, **cpu_ns):
    found = {name.replace("_", " "): summary([a_run(value)]) for name, value in cpu_ns.items()}
    return Results({str(cell): found})


class Verdicts(unittest.TestCase):
    def row(self, found, beginning):
        return next(row for row in found if row.text.startswith(beginning))

    def test_above_its_bound_it_is_not_met(self):
        run_of_all = results(Cell("echo", 64, 64, 1), floor=100.0, weir_protocol=112.0)
        self.assertEqual(self.row(floor_ratios(run_of_all), "weir protocol").verdict, "NOT MET")

    def test_within_its_bound_it_is_met(self):
        run_of_all = results(Cell("echo", 64, 64, 1), floor=100.0, weir_protocol=108.0)
        self.assertEqual(self.row(floor_ratios(run_of_all), "weir protocol").verdict, "met")

    def test_at_least_is_the_other_way_round(self):
        cell = str(Cell("lines", 64, 64, 128))
        for cpu_ns, verdict in ((300, "NOT MET"), (500, "met")):
            found = {"weir lines, owned": 10, "Asio read_until": cpu_ns}
            found = {name: summary([a_run(value)]) for name, value in found.items()}
            row = self.row(line_ratios(Results({cell: found})), "Asio read_until")
            self.assertEqual((row.text[-3:], row.verdict), ("128", verdict))

    def test_the_worst_cell_counts_against_the_best_peer(self):
        run_of_all = results(Cell("echo", 1024, 64, 16), weir_protocol=10, libuv=8, libevent=20)
        row = self.row(peer_ratios(run_of_all), "weir protocol / best peer")
        self.assertEqual((row.measured, row.verdict), (1.25, "NOT MET"))

    def test_single_connections_are_not_judged(self):
        run_of_all = results(Cell("echo", 64, 1, 1), weir_protocol=10, libuv=8)
        row = self.row(peer_ratios(run_of_all), "weir protocol / best peer")
        self.assertEqual(row.verdict, "not measured")

    def test_latencies_are_compared_in_a_cell_that_is_there(self):
        self.assertIn(str(Cell("echo", 64, 64, 1)), latency_ratios(Results({}))[0].text)
        self.assertIn(Cell("echo", 64, 64, 1), [
            Cell(cell.kind, cell.bytes, cell.connections, cell.depth) for cell in cells()
        ])


class Pages(unittest.TestCase):
    def everything(self):
        cell = {"weir protocol": 12.0, "libuv": 8.0, FLOORS["echo"]: 7.0}
        cell = {name: summary([a_run(value)]) for name, value in cell.items()}
        return {
            "machine": {"processor": "abacus"},
            "must_show": [Row(2, "a / b", 3.0, 2.0)._asdict() | {"verdict": "NOT MET"}],
            "effort": {"seconds": 0.4, "quick": True},
            "skipped": ["tokio: not installed"],
            "cells": {"echo 64 B x 64 x 1": cell},
            "instructions": {},
            "system_calls": {"echo 64 B x 64 x 1": {"libuv": 3.0}},
        }

    def page(self):
        return pages.fill({"serving": self.everything()})

    def test_a_cell_that_is_lost_is_listed_as_lost(self):
        self.assertIn("| echo 64 B x 64 x 1 | weir protocol | libuv | 1.50 |", self.page())

    def test_a_claim_that_is_not_met_stands_out(self):
        self.assertIn("| 2 | a / b | 3 | ≤ 2 | **NOT MET** |", self.page())

    def test_every_hole_of_the_template_is_filled(self):
        self.assertNotRegex(self.page(), r"(?m)^\{\w+\}$")

    def test_a_quick_run_says_that_it_was_one(self):
        self.assertIn("It was a **quick** run", self.page())

    def test_what_was_not_measured_says_how_to(self):
        self.assertIn("Not measured: `./dev bench memory --peers --write` does it.", self.page())
        self.assertIn("Not measured: `./dev bench loop --peers --write` does it.", self.page())

    def test_memory_and_the_loop_join_the_page_with_their_claims(self):
        def part(line, claim, **more):
            row = Row(line, claim, 1.0, 2.0)
            return {"machine": {"commit": "abc"}, "must_show": [row._asdict()], **more}

        text = pages.fill(
            {
                "serving": self.everything(),
                "memory": part(7, "little", connections=10_000,
                               servers={"libuv": {"idle": 270.0, "after a burst": 1234.0}}),
                "loop": part(8, "fast", cells={"timer_fire 1000": {"weir": {"ns": 12.34}}}),
            }
        )
        self.assertIn("| 7 | little | 1 | ≤ 2 | met |\n| 8 | fast | 1 | ≤ 2 | met |", text)
        self.assertIn("| libuv | 270 | 1,234 |", text)
        self.assertIn("| timer: call_at + fire, 1,000 | 12.3 |", text)

    def test_without_a_run_of_the_servers_there_is_no_page(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertIn("comes first", pages.rewrite(pathlib.Path(folder), pathlib.Path(folder)))

    def test_a_plot_has_a_point_for_each_server(self):
        found = report.plots(self.everything())
        self.assertEqual((list(found), found["echo.svg"].count("<circle")), (["echo.svg"], 6))


class Counts(unittest.TestCase):
    def test_what_does_not_grow_with_the_requests_cancels_out(self):
        cell = Cell("lines", 64, 2, 16)
        self.assertEqual(costs.per_request(lambda n: 5000 + 3 * 32 * n, cell, 10), 3)

    def test_straces_table_is_understood(self):
        table = (
            "% time     seconds  usecs/call     calls    errors syscall\n"
            " 60.00    0.000600           6       100           sendto\n"
            "------ ----------- ----------- --------- --------- ----------------\n"
            "100.00    0.001000           5       203         2 total\n"
        )
        self.assertEqual(costs.total_calls(table), 203)


if __name__ == "__main__":
    unittest.main()
