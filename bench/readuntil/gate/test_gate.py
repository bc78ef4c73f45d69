# SPDX-License-Identifier: MIT
"""The gate fails where it should, and reads callgrind right."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import callgrind  # noqa: E402
from counts import Raw, allocating, divide, loads_from  # noqa: E402
from gate import compare, judge  # noqa: E402

CELL = {"instructions": 100.0, "scanned": 1.0, "copied": 0.04, "allocations": 0.0,
        "suspensions": 0.044}

DUMP = """\
# callgrind format
part: 2
desc: Trigger: Client Request: a cell\t4\t64
positions: line
events: Ir
summary: 90

fn=(1) take
10 30
cfn=(2) operator new(unsigned long)
calls=4 20
+1 40

fn=(2)
20 15
cfn=(3) malloc
calls=4 30
* 25

fn=(3)
30 25

fn=(1)
+2 20
"""


class Judging(unittest.TestCase):
    def test_the_same_counts_pass(self):
        self.assertEqual(judge(CELL, CELL, True), ([], []))

    def test_two_percent_more_pass_and_three_fail(self):
        self.assertEqual(judge(CELL | {"instructions": 102.0}, CELL, True)[0], [])
        self.assertEqual(judge(CELL | {"instructions": 103.0}, CELL, True)[0],
                         ["instructions per record: 103.000, was 100.000"])

    def test_one_copy_more_fails(self):
        self.assertEqual(judge(CELL | {"copied": 1.04}, CELL, True)[0],
                         ["copied per byte: 1.040, was 0.040"])

    def test_an_allocation_where_there_was_none_fails(self):
        self.assertEqual(len(judge(CELL | {"allocations": 0.01}, CELL, True)[0]), 1)

    def test_less_is_told(self):
        worse, better = judge(CELL | {"instructions": 50.0}, CELL, True)
        self.assertEqual((worse, better), ([], ["instructions per record: 50.000, was 100.000"]))

    def test_elsewhere_instructions_are_not_compared(self):
        self.assertEqual(judge(CELL | {"instructions": 500.0}, CELL, False), ([], []))

    def test_elsewhere_copies_are_compared(self):
        self.assertEqual(len(judge(CELL | {"copied": 1.0}, CELL, False)[0]), 1)

    def test_a_count_that_is_gone_fails(self):
        self.assertEqual(judge({}, {"copied": 1.0}, True)[0], ["copied: not counted any more"])


class Comparing(unittest.TestCase):
    def setUp(self):
        self.said = []

    def test_cells_are_counted(self):
        worse = CELL | {"scanned": 2.0}
        result = compare({"a": CELL, "b": worse}, {"a": CELL, "b": CELL}, True, self.said.append)
        self.assertEqual(result, (1, 1))
        self.assertEqual(self.said, ["FAILED  b: scanned per byte: 2.000, was 1.000"])

    def test_a_cell_that_is_gone_fails(self):
        self.assertEqual(compare({}, {"a": CELL}, True, self.said.append), (0, 1))

    def test_a_new_cell_fails_until_it_is_written_down(self):
        self.assertEqual(compare({"a": CELL}, {}, True, self.said.append), (0, 1))
        self.assertIn("--update", self.said[0])


class Dividing(unittest.TestCase):
    def test_what_a_run_takes_to_begin_does_not_count(self):
        first = Raw(100, 1600, {"instructions": 5_000 + 100 * 40, "copied": 7 + 800})
        second = Raw(200, 3200, {"instructions": 5_000 + 200 * 40, "copied": 7 + 1600})
        self.assertEqual(divide(first, second), {"instructions": 40.0, "copied": 0.5})


class Loading(unittest.TestCase):
    BEGIN, END = " S 9000,1\n", " S 9001,1\n"

    def loads(self, *lines):
        """Of two inputs, of which the first is searched while these lines are written."""
        trace = [self.BEGIN, *lines, self.END, self.BEGIN, " L 2000,16\n", self.END]
        found = loads_from(trace, [0x9000, 0x9001], [("a", 0x1000, 32), ("b", 0x2000, 16)])
        self.assertEqual(found["b"], 1.0)
        return found["a"]

    def test_a_vector_counts_for_each_of_its_bytes(self):
        self.assertEqual(self.loads(" L 1000,32\n", " L 1010,16\n"), 1.5)

    def test_loads_elsewhere_and_stores_do_not_count(self):
        self.assertEqual(self.loads(" L 0fff,1\n", " L 1020,8\n", " S 1000,8\n", "I  1000,3\n"),
                         0.0)

    def test_what_is_loaded_to_be_changed_counts(self):
        self.assertEqual(self.loads(" M 1000,16\n"), 0.5)

    def test_what_is_loaded_while_nothing_is_searched_does_not_count(self):
        self.assertEqual(self.loads(" L 1000,8\n", self.END, " L 1000,8\n"), 0.25)


class Reading(unittest.TestCase):
    def setUp(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "out.2"
            path.write_text(DUMP, encoding="utf-8")
            self.profile = callgrind.read(path)

    def test_the_label_is_that_of_the_request(self):
        self.assertEqual(self.profile.label, "a cell\t4\t64")

    def test_own_costs_leave_out_those_of_calls(self):
        self.assertEqual(self.profile.own, {"take": 50, "operator new(unsigned long)": 15,
                                            "malloc": 25})
        self.assertEqual(sum(self.profile.own.values()), self.profile.total)

    def test_the_allocator_counts_once_however_it_calls_itself(self):
        self.assertEqual(allocating(self.profile), 40)


if __name__ == "__main__":
    unittest.main()
