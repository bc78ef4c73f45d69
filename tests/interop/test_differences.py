# SPDX-License-Identifier: MIT
"""Each named difference, both ways: what CPython does, and what weir does."""

import os
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from compare import HERE, Pair, Runner, judge  # noqa: E402
from differences import DIFFERENCES  # noqa: E402
from language import Operation, limit_of  # noqa: E402
from model import ALL, ReaderModel  # noqa: E402

ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", ROOT / "build/gcc"))
VERSION = sys.version_info[:2]
MAX_DIFFERENCES = 15


def make_pair() -> Pair:
    return Pair(Runner("CPython", [sys.executable, str(HERE / "cpython_runner.py")]),
                Runner("weir", [str(BUILD / "tests/interop_runner")]), VERSION)


class Differences(unittest.TestCase):
    """One test for each is added below."""

    @classmethod
    def setUpClass(cls):
        cls.pair = make_pair()

    @classmethod
    def tearDownClass(cls):
        cls.pair.stop()

    def check(self, difference):
        for example in difference.examples:
            script = example.script.split("; ")
            operations = [Operation(line) for line in script[1:]]
            version = VERSION
            (theirs,), (ours,) = self.pair.traces([script])
            if VERSION >= difference.before:  # This CPython is too new to show it.
                version = (difference.before[0], difference.before[1] - 1)
                theirs = ReaderModel(limit_of(script[0]), version=version).run(operations)
            self.assertEqual(theirs[-1], example.asyncio, f"asyncio: {example.script}")
            self.assertEqual(ours[-1], example.weir, f"weir: {example.script}")
            self.assertNotEqual(example.asyncio, example.weir)
            verdict = judge(script, theirs, ours, version)
            self.assertEqual(verdict.problem, "")
            self.assertEqual(verdict.struck, {difference.name})


def add_test(difference) -> None:
    def test(self):
        self.check(difference)
    name = difference.name.replace("-", "_")
    setattr(Differences, f"test_{name}_asyncio_and_weir_each_do_as_the_table_says", test)


for each in DIFFERENCES:
    add_test(each)


class Table(unittest.TestCase):
    def test_it_has_few_rows_and_names_none_twice(self):
        names = [difference.name for difference in DIFFERENCES]
        self.assertLessEqual(len(names), MAX_DIFFERENCES)
        self.assertEqual(len(names), len(set(names)))

    def test_it_has_a_row_for_every_switch_of_the_model(self):
        names = {difference.name for difference in DIFFERENCES if difference.before[0] == 99}
        self.assertEqual(names, ALL)

    def test_every_row_has_one_in_the_map(self):
        rows = (ROOT / "docs/asyncio_map.md").read_text(encoding="utf-8")
        rows = rows.partition("## Deliberate differences")[2]
        first_cells = re.findall(r"^\| (.+?) \|", rows, re.MULTILINE)
        for difference in DIFFERENCES:
            self.assertIn(difference.row, first_cells, difference.name)


if __name__ == "__main__":
    unittest.main()
