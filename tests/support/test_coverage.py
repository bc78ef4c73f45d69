# SPDX-License-Identifier: MIT
"""./dev coverage reads what llvm-cov says."""

import unittest

import coverage

LCOV = """SF:../../net/socket.cpp
FN:7,f
DA:7,3
DA:8,0
DA:9,0
DA:11,0
BRDA:7,0,0,3
BRDA:7,0,1,0
BRDA:8,0,0,-
BRF:3
BRH:1
LF:4
LH:1
end_of_record
SF:../../tests/net/test_socket.cpp
DA:1,0
LF:1
LH:0
end_of_record
SF:../../reactor/log.cpp
DA:1,1
LF:1
LH:1
end_of_record
"""


class ReadLcov(unittest.TestCase):
    def test_only_files_of_the_library_count(self):
        names = [file.name for file in coverage.read_lcov(LCOV)]
        self.assertEqual(names, ["net/socket.cpp", "reactor/log.cpp"])

    def test_what_was_not_reached_is_told_by_line(self):
        file = coverage.read_lcov(LCOV)[0]
        self.assertEqual((file.lines, file.branches), ((4, 1), (3, 1)))
        self.assertEqual(file.missed_lines, [8, 9, 11])
        self.assertEqual(file.missed_branches, [7, 8])

    def test_a_file_without_branches_has_all_of_them(self):
        file = coverage.read_lcov(LCOV)[1]
        self.assertEqual(coverage.percent(*file.branches), 100.0)


class Spans(unittest.TestCase):
    def test_neighbours_are_joined(self):
        self.assertEqual(coverage.spans([8, 9, 11]), "8-9, 11")
        self.assertEqual(coverage.spans([]), "")


class Required(unittest.TestCase):
    def test_the_sums_are_over_all_files(self):
        self.assertEqual(coverage.totals(coverage.read_lcov(LCOV)),
                         {"lines": (5, 2), "branches": (3, 1)})

    def test_what_is_just_enough_is_enough(self):
        self.assertEqual(coverage.shortfall({"lines": (100, 93), "branches": (100, 80)}), "")

    def test_what_is_too_little_is_named(self):
        self.assertEqual(coverage.shortfall({"lines": (1000, 929), "branches": (100, 80)}),
                         "less than 93 % of the lines")
        self.assertEqual(coverage.shortfall({"lines": (0, 0), "branches": (1000, 799)}),
                         "less than 80 % of the branches")


if __name__ == "__main__":
    unittest.main()
