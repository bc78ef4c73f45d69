# SPDX-License-Identifier: MIT
"""The page shows what a run has measured, losses included; the plots are well-formed."""

import pathlib
import sys
import unittest
from xml.etree import ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "gate")]

import page  # noqa: E402
import plots  # noqa: E402
import svg  # noqa: E402
from results import Results  # noqa: E402


def cell(group, record, name="", separator="LF", chunk=65536, **more):
    return {"group": group, "separator": separator, "name": name, "record": record, "chunk": chunk,
            "records": 100, "bytes": 100 * record, "sides": more["sides"]}


def results(*cells, **more):
    return Results({"machine": {"kernel": "Linux 6"}, "cells": list(cells)} | more)


SIDES = {"weir view": [5.0], "weir string": [20.0], "libevent readln": [15.0],
         "Asio read_until": [50.0], "memchr": [4.0], "asyncio 3.11.2": [500.0]}


class Losses(unittest.TestCase):
    def test_a_faster_library_is_named(self):
        self.assertEqual(page.losses(results(cell("length", 64, sides=SIDES)))[2:],
                         ["| LF, 64 B | weir string 20 | libevent readln 15 | 1.33 |"])

    def test_a_floor_is_no_library(self):
        sides = {"weir view": [5.0], "memchr": [4.0], "memcpy alone": [1.0]}
        self.assertEqual(page.losses(results(cell("length", 64, sides=sides))),
                         ["In no cell of this run."])


class Filling(unittest.TestCase):
    def test_prose_stays_and_figures_come(self):
        run = results(cell("length", 64, sides=SIDES))
        text = page.fill("Before.\n\n{{machine}}\n\n{{table length}}\n\nAfter.\n", run)
        self.assertTrue(text.startswith("Before.\n\n- kernel: Linux 6\n\n| | weir view |"))
        self.assertTrue(text.endswith(".\n\nAfter.\n"))

    def test_an_unknown_placeholder_is_an_error(self):
        with self.assertRaises(page.UnknownPlaceholder):
            page.fill("{{nonsense}}\n", results())

    def test_the_template_has_only_what_can_be_filled(self):
        template = pathlib.Path(page.__file__).with_name("readuntil.md.in")
        self.assertNotIn("{{", page.fill(template.read_text(encoding="utf-8"), results()))


class Plots(unittest.TestCase):
    def setUp(self):
        cells = [cell("length", record, sides=SIDES) for record in (8, 64, 1024)]
        cells += [cell("chunk", 64, chunk=chunk, sides=SIDES) for chunk in (1, 1460, 65536)]
        cells.append(cell("hostile", 1 << 20, "a & b <repeated>", sides=SIDES))
        functions = {"resident LF 16 view": {"weir::detail::find_separator(…)": 47.0,
                                             "weir::detail::ReaderState::take()": 27.0,
                                             "nothing known": 3.0}}
        self.plots = plots.all_plots(results(*cells, functions=functions))

    def test_there_are_four(self):
        self.assertEqual(list(self.plots), ["throughput.svg", "chunks.svg", "hostile.svg",
                                            "instructions.svg"])

    def test_they_are_well_formed_and_need_nothing_else(self):
        for name, plot in self.plots.items():
            with self.subTest(name):
                root = ElementTree.fromstring(plot)
                self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
                self.assertNotIn("href", plot)
                self.assertIn("prefers-color-scheme: dark", plot)

    def test_every_text_and_mark_lies_inside(self):
        for name, plot in self.plots.items():
            root = ElementTree.fromstring(plot)
            width, height = map(float, root.attrib["viewBox"].split()[2:])
            for mark in root:
                x, y = (float(mark.attrib.get(key, 0)) for key in ("x", "y"))
                with self.subTest(name, mark=mark.text):
                    self.assertTrue(0 <= x <= width and 0 <= y <= height)

    def test_the_conditions_stand_below(self):
        for plot in self.plots.values():
            self.assertIn("Linux 6", plot)

    def test_axes_say_what_they_show(self):
        self.assertIn("GB per second", self.plots["throughput.svg"])
        self.assertIn("bytes in a chunk", self.plots["chunks.svg"])
        self.assertIn("nanoseconds per byte", self.plots["hostile.svg"])
        self.assertIn("instructions per record", self.plots["instructions.svg"])

    def test_a_function_belongs_to_one_part(self):
        self.assertEqual([plots.part_of(name) for name in (
            "__memchr_avx2", "weir::detail::ReaderState::search(std::span<…>)", "_int_free",
            "weir::detail::ReaderState::take()", "__memcpy_avx_unaligned_erms", "main")],
            ["search", "search", "malloc and free", "reader", "copy", "rest"])

    def test_a_narrow_axis_has_three_ticks_at_least(self):
        self.assertEqual(svg.LogScale([7000, 15000], 0, 100).ticks(), [7000, 10000, 15000])
        self.assertEqual(svg.LogScale([7100, 7400], 0, 100).ticks(), [7100, 7200, 7300, 7400])

    def test_ticks_are_round_numbers_in_sight(self):
        self.assertEqual(svg.LogScale([1, 64], 0, 100).ticks(), [1, 2, 5, 10, 20, 50])
        self.assertEqual(svg.LogScale([1, 100000], 0, 100).ticks(), [1, 10, 100, 1000, 10000,
                                                                     100000])


if __name__ == "__main__":
    unittest.main()
