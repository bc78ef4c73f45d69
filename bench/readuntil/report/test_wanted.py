# SPDX-License-Identifier: MIT
"""A ratio that is not reached is said to be that; nothing is claimed that was not measured."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import tables  # noqa: E402
import wanted  # noqa: E402
from results import Results, figure, short  # noqa: E402


def cell(group="resident", separator="LF", record=8, name="", chunk=65536, **sides):
    rounds = {side.replace("_", " "): times for side, times in sides.items()}
    return {"group": group, "separator": separator, "name": name, "record": record, "chunk": chunk,
            "records": 100, "bytes": 100 * record, "sides": rounds}


def results(*cells, **more):
    return Results({"machine": {}, "cells": list(cells)} | more)


def row(results_of_a_run, beginning):
    return next(row for row in wanted.all_rows(results_of_a_run)
                if row.text.startswith(beginning))


class Verdicts(unittest.TestCase):
    def test_a_ratio_above_its_bound_is_not_met(self):
        run = results(cell(weir_view=[9.0, 8.0], memchr=[10.0, 12.0]))
        found = row(run, "view ÷ memchr, LF, 8 B")
        self.assertEqual((found.measured, found.verdict), (0.8, "NOT MET"))

    def test_a_ratio_at_its_bound_is_met(self):
        run = results(cell(weir_view=[7.0], memchr=[10.0]))
        self.assertEqual(row(run, "view ÷ memchr, LF, 8 B").verdict, "met")

    def test_at_least_is_the_other_way_round(self):
        few = results(cell("length", record=64, **{"weir view": [10.0],
                                                    "libevent readln": [60.0]}))
        many = results(cell("length", record=64, **{"weir view": [10.0],
                                                     "libevent readln": [80.0]}))
        self.assertEqual(row(few, "libevent readln ÷ view, LF, 64 B").verdict, "NOT MET")
        self.assertEqual(row(many, "libevent readln ÷ view, LF, 64 B").verdict, "met")

    def test_in_cache_the_best_rounds_count(self):
        run = results(cell(weir_view=[30.0, 5.0, 40.0], memchr=[10.0, 10.0, 10.0]))
        self.assertEqual(row(run, "view ÷ memchr, LF, 8 B").measured, 0.5)

    def test_elsewhere_the_medians_count(self):
        run = results(cell("length", record=64, **{"weir string": [5.0, 10.0, 40.0],
                                                    "memchr + std::string": [10.0, 10.0, 10.0]}))
        self.assertEqual(row(run, "string ÷ memchr + std::string, LF, 64 B").measured, 1.0)

    def test_what_was_not_measured_is_not_met_either(self):
        self.assertEqual({found.verdict for found in wanted.all_rows(results())
                          if found.wanted is not None}, {"not measured"})

    def test_the_last_line_counts_the_verdicts(self):
        rows = [wanted.Row(1, "a", 1.0, 2.0), wanted.Row(1, "b", 3.0, 2.0),
                wanted.Row(2, "c", None, 2.0), wanted.Row(4, "d", 5.0, None)]
        self.assertEqual(wanted.as_text(rows)[-1], "1 met, 1 not met, 1 not measured")

    def test_a_missed_ratio_stands_out_on_the_page(self):
        self.assertIn("**NOT MET**", wanted.as_markdown([wanted.Row(1, "b", 3.0, 2.0)])[-1])

    def test_the_better_floor_counts(self):
        run = results(cell("separator", "CRLFCRLF", 64,
                           **{"weir view": [12.0], "last-byte memchr": [20.0],
                              "two bytes, AVX2": [10.0]}))
        self.assertEqual(row(run, "view ÷ best bare search, CRLFCRLF, 64 B").measured, 1.2)

    def test_time_outs_that_search_again_are_seen(self):
        def run(large):
            return results(*(cell("time-outs", record=record) |
                             {"sides": {"weir view in wait_for": [took], "weir view": [1.0]}}
                             for record, took in ((1 << 16, 100.0), (1 << 20, large))))
        flat = "time per byte, 1 MiB ÷ 64 KiB: LF, a time-out after every chunk"
        self.assertEqual(row(run(16 * 120.0), flat).verdict, "met")
        self.assertEqual(row(run(16 * 140.0), flat).verdict, "NOT MET")

    def test_malloc_and_free_are_not_counted_for_a_string(self):
        run = results(counts={"resident LF 16 string": {"instructions": 250.0}},
                      allocator={"resident LF 16 string": 150.0})
        self.assertEqual(row(run, "instructions per 16 B record, LF: string").measured, 100.0)

    def test_every_line_of_the_list_has_rows(self):
        self.assertEqual({found.line for found in wanted.all_rows(results())}, set(range(1, 9)))


class Tables(unittest.TestCase):
    def test_a_side_that_did_not_take_part_leaves_its_column_empty(self):
        run = results(cell("length", record=8, weir_view=[4.0]),
                      cell("length", record=64, weir_view=[6.0], memchr=[5.0]))
        lines = tables.as_markdown(run, "length")
        self.assertEqual(lines[2:4], ["| LF, 8 B | 4 |  |", "| LF, 64 B | 6 | 5 |"])

    def test_the_kernel_has_a_share_where_there_is_one(self):
        run = results(cell("carrier", name="memory", weir_view=[4.0]) | {"system": {"w": 0.01}},
                      cell("carrier", name="socketpair", weir_view=[9.0]) | {"system": {"w": 0.5}})
        shares = [line for line in tables.as_markdown(run, "carrier") if "kernel's" in line]
        self.assertEqual(shares, ["LF, 8 B, socketpair: of which the kernel's: w 50 %."])

    def test_asyncio_is_found_with_its_version(self):
        run = results(cell("length", record=64, **{"asyncio 3.11.2": [700.0]}))
        self.assertEqual(run.cells[0].median("asyncio"), 700.0)

    def test_numbers_have_three_digits(self):
        self.assertEqual([figure(x) for x in (0.0687, 4.2512, 48990.2, None)],
                         ["0.0687", "4.25", "48990", ""])
        self.assertEqual([short(x) for x in (64, 1024, 16384, 1 << 20)],
                         ["64", "1 Ki", "16 Ki", "1 Mi"])


if __name__ == "__main__":
    unittest.main()
