# SPDX-License-Identifier: MIT
"""docs/bug_catalogue.md is complete and true, and the bugs that it names can be planted."""

import collections
import pathlib
import tempfile
import unittest

import catalogue
import catalogue_mutants as mutants
from planted_bugs import BUGS
from planting import planted_file


def numbers(first: int, last: int) -> list[str]:
    return [f"B{number:02}" for number in range(first, last + 1)]


EXPECTED = numbers(1, 60) + numbers(76, 89)


class Catalogue(unittest.TestCase):
    def test_every_bug_has_one_row(self):
        rows = [row.bug for row in catalogue.rows()]
        counts = collections.Counter(rows)
        self.assertEqual([name for name in rows if counts[name] > 1], [])
        self.assertEqual(sorted(set(EXPECTED) - set(rows)), [])

    def test_every_cell_says_something(self):
        for row in catalogue.rows():
            with self.subTest(row.bug):
                self.assertTrue(all((row.what, row.seen, row.answer)))

    def test_a_row_names_its_tests_or_says_why_there_is_none(self):
        for row in catalogue.rows():
            with self.subTest(row.bug):
                self.assertTrue(row.tests or row.reason.startswith(("no: ", "not yet: ")),
                                row.reason)

    def test_every_test_that_a_row_names_exists_and_names_the_bug(self):
        for row in catalogue.rows():
            for source, name in row.tests:
                with self.subTest(f"{row.bug} {name}"):
                    found = [case for case in catalogue.cases()
                             if (case.source, case.name) == (source, name)]
                    self.assertTrue(found, f"{source} has no such case")
                    self.assertIn(row.bug, found[0].bugs)

    def test_every_test_that_names_a_bug_stands_in_its_row(self):
        named = {(row.bug, source, name) for row in catalogue.rows() for source, name in row.tests}
        missing = [f"{bug}: {case.source}: {case.name}"
                   for case in catalogue.cases() for bug in case.bugs
                   if (bug, case.source, case.name) not in named and bug in EXPECTED]
        self.assertEqual(missing, [])


class PlantedBugs(unittest.TestCase):
    def test_every_one_still_applies_to_the_source(self):
        for planted in BUGS:
            with self.subTest(planted.bug):
                planted_file(planted.patch)

    def test_every_bug_that_has_a_test_can_be_planted(self):
        tested = {row.bug for row in catalogue.rows() if row.tests}
        self.assertEqual(sorted(tested - {planted.bug for planted in BUGS}), [])

    def test_every_one_has_a_test_that_names_it(self):
        tested = {bug for case in catalogue.cases() for bug in case.bugs}
        self.assertEqual([planted.bug for planted in BUGS if planted.bug not in tested], [])

    def test_a_bug_that_nobody_knows_is_refused(self):
        self.assertEqual(len(mutants.choose([])), len(BUGS))
        self.assertEqual({planted.bug for planted in mutants.choose(["B26"])}, {"B26"})
        with self.assertRaises(SystemExit):
            mutants.choose(["B99"])

    def test_a_crash_and_a_hang_are_told_apart_from_a_pass(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "program")
            for script, how in (("exit 0", "ended with 0"), ("kill -SEGV $$", "crash (signal 11)"),
                                ("exec sleep 60", "no end in 1 s")):
                program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
                program.chmod(0o755)
                self.assertEqual(mutants.run_cases(program, [], pathlib.Path(folder), 1).how, how)


if __name__ == "__main__":
    unittest.main()
