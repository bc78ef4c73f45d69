# SPDX-License-Identifier: MIT
"""docs/asyncio_map.md is complete and true: every name of asyncio, every test of CPython's."""

import builtins
import collections
import re
import sys
import unittest

import asyncio_map

REASONS_AT_MOST = 0.35

# Names that stand in the table, but not in Python 3.11's module or its classes.
ELSEWHERE = {"loop.slow_callback_duration", *dir(builtins)}
LATER = {"eager_task_factory", "create_eager_task_factory",  # 3.12
         "Task.get_context", "Handle.get_context",
         "EventLoop", "Server.close_clients", "Server.abort_clients", "QueueShutDown",  # 3.13
         "Queue.shutdown",
         "capture_call_graph", "format_call_graph", "print_call_graph",  # 3.14
         "FrameCallGraphEntry", "FutureCallGraph", "future_add_to_awaited_by",
         "future_discard_from_awaited_by",
         "ProactorEventLoop", "IocpProactor", "WindowsSelectorEventLoopPolicy",  # Windows
         "WindowsProactorEventLoopPolicy"}


def upstream_rows():
    """module, test and answer of each row."""
    for module in asyncio_map.MODULES:
        for cells in asyncio_map.rows(f"### {module}"):
            yield module, cells[0].strip("`"), cells[1]


class Names(unittest.TestCase):
    def test_every_public_name_of_asyncio_has_its_row(self):
        have = set()
        for name in asyncio_map.table_names():
            have |= asyncio_map.roots(name)
        self.assertEqual(sorted(asyncio_map.public_names() - LATER - have), [])

    def test_no_name_has_two_rows(self):
        counts = collections.Counter(asyncio_map.table_names())
        self.assertEqual([name for name, count in counts.items() if count > 1], [])

    def test_every_row_names_something_that_asyncio_has(self):
        # Later Pythons have thrown names out; the table is of 3.11.
        known = asyncio_map.public_names() | LATER | ELSEWHERE
        unknown = [name for name in asyncio_map.table_names()
                   if not asyncio_map.roots(name) & known]
        if sys.version_info[:2] == (3, 11):
            self.assertEqual(unknown, [])

    def test_every_later_name_has_its_row(self):
        self.assertEqual(sorted(LATER - set(asyncio_map.table_names())), [])

    def test_every_header_exists(self):
        for cells in asyncio_map.rows("## Names"):
            with self.subTest(cells[0]):
                self.assertEqual(len(cells), 3)
                if cells[2]:
                    self.assertTrue((asyncio_map.ROOT / cells[2]).exists(), cells[2])

    def test_a_row_without_a_header_says_why(self):
        for cells in asyncio_map.rows("## Names"):
            if not cells[2]:
                with self.subTest(cells[0]):
                    self.assertRegex(cells[1], r"^(not yet\b|no: .)|`")

    def test_what_is_not_yet_there_is_in_no_header(self):
        declared = asyncio_map.declared()
        self.assertTrue({"gather", "Server"} <= declared, "the headers look different")
        for cells in asyncio_map.rows("## Names"):
            if cells[1].startswith("not yet"):
                # Members are passed over: their classes are not there, others have the same.
                names = [name.removeprefix("loop.") for name in asyncio_map.names_of(cells[0])]
                with self.subTest(cells[0]):
                    self.assertEqual([name for name in names if name in declared], [])


class UpstreamTests(unittest.TestCase):
    def test_the_list_has_every_test_that_is_installed(self):
        # Another Python than 3.11 runs this, or its tests are not installed: the list stands.
        installed = asyncio_map.installed_tests() or {}
        listed = asyncio_map.listed_tests()
        for module, names in installed.items():
            self.assertEqual(sorted(set(names) - set(listed[module])), [], module)

    def test_every_test_has_exactly_one_row(self):
        listed = [f"{module} {name}" for module, names in asyncio_map.listed_tests().items()
                  for name in names]
        rows = [f"{module} {name}" for module, name, _ in upstream_rows()]
        self.assertEqual(rows, listed)

    def test_every_case_that_is_named_exists(self):
        known = {}
        for _, name, answer in upstream_rows():
            for place in answer.split("<br>") if answer.startswith("`") else ():
                match = asyncio_map.PLACE.fullmatch(place)
                with self.subTest(name):
                    self.assertIsNotNone(match, place)
                    path = asyncio_map.ROOT / "tests" / match[1]
                    if path not in known:
                        self.assertTrue(path.exists(), match[1])
                        known[path] = asyncio_map.cases(path)
                    self.assertIn(match[2].replace(r"\|", "|"), known[path])

    def test_every_other_answer_is_a_reason(self):
        for _, name, answer in upstream_rows():
            if not answer.startswith("`"):
                with self.subTest(name):
                    self.assertIn(answer.split(": ")[0], asyncio_map.REASONS)

    def test_reasons_are_few(self):
        answers = [answer for _, _, answer in upstream_rows()]
        reasons = [answer for answer in answers
                   if answer.split(": ")[0] in asyncio_map.REASONS]
        self.assertLessEqual(len(reasons), REASONS_AT_MOST * len(answers))

    def test_none_is_put_off(self):
        waiting = [name for _, name, answer in upstream_rows() if "not yet" in answer]
        self.assertEqual(waiting, [])


class OtherTables(unittest.TestCase):
    """Rows that a merge has doubled, and names that were renamed since."""

    def test_no_row_stands_twice(self):
        for title in ("## What weir has besides", "## Deliberate differences"):
            counts = collections.Counter(cells[0] for cells in asyncio_map.rows(title))
            with self.subTest(title):
                self.assertEqual([name for name, count in counts.items() if count > 1], [])

    def test_what_weir_has_besides_is_in_its_headers(self):
        words = asyncio_map.header_words()
        for cells in asyncio_map.rows("## What weir has besides"):
            for name in asyncio_map.CODE.findall(cells[0]):
                with self.subTest(name):
                    # Of readuntil(sep, {.limit = n}): readuntil and limit.
                    self.assertEqual([word for word in re.findall(r"\w{3,}", name)
                                      if word != "sep" and word not in words], [])


if __name__ == "__main__":
    unittest.main()
