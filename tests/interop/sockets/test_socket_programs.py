# SPDX-License-Identifier: MIT
"""The short share of the differential tests over real sockets, and tests of what runs them."""

import os
import pathlib
import sys
import tempfile
import unittest

import run
import socket_compare
import socket_driver
import socket_generate
import socket_program
from socket_compare import Difference

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", "build/gcc"))
WEIR = [str(BUILD / "tests" / "socket_peer")]


class Agreement(unittest.TestCase):
    def check(self, programs):
        total = run.run_all(WEIR, sys.executable, programs, repeats=2, variants=1)
        print(f"  sockets: {total.programs} programs, {total.runs} runs")
        self.assertEqual(total.failures, [])
        self.assertEqual(total.programs, len(programs))

    def test_every_program_is_the_same_in_all_four_pairings(self):
        self.check(run.all_programs(0, 0))

    def test_random_programs_are_the_same_in_all_four_pairings(self):
        self.check([socket_generate.program(seed) for seed in range(1000, 1020)])


# Bugs planted into CPython's performer, which then stands for weir's; and where they must show.
PLANTED = {
    "close throws unsent data away": (
        "T.close = T.abort",
        "write_eof with much unsent, then close", "received"),
    "connection_lost hides the error": (
        "force = T._force_close\nT._force_close = lambda self, error: force(self, None)",
        "reset after a byte", "lost"),
    "writelines turns its pieces round": (
        "T.writelines = lambda self, pieces: self.write(b''.join(reversed(list(pieces))))",
        "a hundred thousand bytes in many pieces", "crc"),
    "pause_writing is called with every write": (
        "def pause(self):\n  if self.get_write_buffer_size() > self._high_water:\n"
        "    self._protocol_paused = True\n    self._protocol.pause_writing()\n"
        "T._maybe_pause_protocol = pause",
        "many writes over the mark pause once", "alternates"),
    "the end of the stream is swallowed": (
        "E = peer.Spy.eof_received\npeer.Spy.eof_received = lambda self: True",
        "the client half-closes and is answered", "stuck"),
    "drain returns at once": (
        "async def drain(self): pass\npeer.asyncio.StreamWriter.drain = drain",
        "a drain and a read wait while the peer resets", "outcomes"),
}
PLANT = """
import asyncio, sys
sys.path.insert(0, {folder!r})
import peer
T = asyncio.selector_events._SelectorSocketTransport
{bug}
sys.exit(asyncio.run(peer.Performer().main()))
"""


class Planted(unittest.TestCase):
    def facts_that_differ(self, bug, name):
        program = next(each for each in run.all_programs(0, 0) if each.name == name)
        with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
            script.write(PLANT.format(folder=str(HERE), bug=bug))
            script.flush()
            commands = {"cpython": [sys.executable, str(socket_driver.PEER)],
                        "weir": [sys.executable, script.name]}
            with socket_driver.Driver(commands, seconds=5) as driver:
                variant = program.variants()[0]
                reference = driver.run(program, variant, socket_compare.REFERENCE)
                return {difference.fact
                        for pairing in socket_compare.PAIRINGS[1:3]
                        for difference in socket_compare.differences(
                            program, variant, pairing, reference,
                            driver.run(program, variant, pairing), {})}

    def test_planted_bugs_are_found(self):
        for title, (bug, program, fact) in PLANTED.items():
            with self.subTest(title):
                self.assertIn(fact, self.facts_that_differ(bug, program))


class Allowed(unittest.TestCase):
    def difference(self, fact, expected, got, pairing=("weir", "cpython")):
        return Difference("a program", ("tcp", "streams", "streams"), pairing, "client", fact,
                          expected, got)

    def name_of(self, *arguments, **options):
        entry = socket_compare.allowed(self.difference(*arguments, **options))
        return entry and entry.name

    def test_each_entry_has_its_row_in_the_map(self):
        rows = (run.ROOT / "docs" / "asyncio_map.md").read_text(encoding="utf-8")
        for entry in socket_compare.ALLOWED:
            with self.subTest(entry.name):
                self.assertIn(f"\n| {entry.row}", rows)

    def test_the_text_of_writelines_and_no_other(self):
        old = "writelines RuntimeError: Cannot call write() after write_eof()"
        new = "writelines RuntimeError: Cannot call writelines() after write_eof()"
        self.assertEqual(self.name_of("outcomes", old, new), "writelines-text")
        self.assertIsNone(self.name_of("outcomes", new, old))
        self.assertIsNone(self.name_of("outcomes", old, ""))

    def test_one_end_for_two_and_not_none(self):
        twice = "made data eof eof lost"
        self.assertEqual(self.name_of("calls", twice, "made data eof lost"), "end-once")
        self.assertIsNone(self.name_of("calls", twice, "made data lost"))
        self.assertIsNone(self.name_of("calls", "made data eof lost", twice))

    def test_one_late_send_error_and_not_two(self):
        lost = "drain ConnectionResetError: Connection lost"
        self.assertEqual(self.name_of("outcomes", lost, "drain ok"), "late-send-error")
        self.assertIsNone(self.name_of("outcomes", f"{lost} | {lost}", "drain ok | drain ok"))
        self.assertIsNone(self.name_of("outcomes", "drain ok", lost))

    def test_a_null_loop_and_no_other_failure(self):
        null = "write AttributeError: 'NoneType' object has no attribute '_add_writer'"
        self.assertEqual(self.name_of("outcomes", null, ""), "calls-after-the-end")
        self.assertEqual(self.name_of("outcomes", f"drain ok | {null}", "drain ok"),
                         "calls-after-the-end")
        self.assertIsNone(self.name_of("outcomes", "write TypeError: no", ""))
        self.assertIsNone(self.name_of("outcomes", null, "write ValueError: no"))

    def test_one_warning_for_all_and_no_other_report(self):
        often = " | ".join(["socket.send() raised exception."] * 3)
        once = "socket.send() raised exception. Writes to ('h', 1) are dropped: it was closed"
        self.assertEqual(self.name_of("reports", often, once), "warned-once")
        self.assertIsNone(self.name_of("reports", often, f"{once} | {once}"))
        self.assertIsNone(self.name_of("reports", often, ""))
        self.assertIsNone(self.name_of("reports", f"{often} | Fatal", once))
        self.assertIsNone(self.name_of("reports", "", once))

    def test_writelines_that_hang_from_3_12_on(self):
        program = socket_program.parse("program: p\n c writelines 1 0")[0]
        self.assertTrue(socket_compare.writelines_hangs(program, (3, 12)))
        self.assertFalse(socket_compare.writelines_hangs(program, (3, 11)))
        program = socket_program.parse("program: p\n c write 1")[0]
        self.assertFalse(socket_compare.writelines_hangs(program, (3, 12)))

    def test_nothing_excuses_the_side_of_cpython(self):
        twice = "made data eof eof lost"
        self.assertIsNone(self.name_of("calls", twice, "made data eof lost",
                                       pairing=("cpython", "weir")))


class Language(unittest.TestCase):
    def test_a_printed_program_reads_the_same(self):
        for program in run.all_programs(20, 7):
            self.assertEqual(socket_program.parse(str(program)), [program])

    def test_what_makes_no_sense_is_refused_with_its_line(self):
        for line in ["c jump", "c write", "c write x", "c until", "c until never", "x close",
                     "client sleepy", "client varies weather", "on foot", "c drain 1"]:
            with self.subTest(line):
                with self.assertRaisesRegex(socket_program.ProgramError, "^text:2: "):
                    socket_program.parse(f"program: p\n{line}")

    def test_a_side_that_no_style_can_perform_is_refused(self):
        with self.assertRaises(socket_program.ProgramError):
            socket_program.parse("program: p\n client eof-close\n c drain")

    def test_two_programs_of_one_name_are_refused(self):
        with self.assertRaises(socket_program.ProgramError):
            socket_program.parse("program: p\n c close\nprogram: p\n c close")

    def test_the_programs_use_every_action_and_every_barrier(self):
        programs = run.all_programs(0, 0)
        self.assertGreaterEqual(len(programs), 40)
        words = {part.split()[0] for program in programs for step in program.steps
                 for part in (step.text or "kill").split(";")}
        self.assertEqual(words, {*socket_program.ACTIONS, *socket_program.CONDITIONS, "kill"})

    def test_a_seed_always_gives_the_same_program(self):
        self.assertEqual(socket_generate.program(5), socket_generate.program(5))
        self.assertNotEqual(str(socket_generate.program(5)), str(socket_generate.program(6)))


if __name__ == "__main__":
    unittest.main()
