# SPDX-License-Identifier: MIT
"""A bug is planted in exactly one place, or not at all."""

import unittest

from planting import DoesNotApply, Patch, planted, with_files


class Planting(unittest.TestCase):
    def test_formatting_does_not_matter(self):
        patch = Patch("", "a_ > b(1)", "a_ >= b(1)", "void f(")
        self.assertEqual(planted("void f() {\n  if (a_\n  >b( 1 )) g();\n}\n", patch),
                         "void f() {\n  if (a_ >= b(1)) g();\n}\n")

    def test_without_a_function_the_whole_file_is_looked_at(self):
        self.assertEqual(planted("int a = 1;\nint b = 2;\n", Patch("", "b = 2", "b = 3")),
                         "int a = 1;\nint b = 3;\n")

    def test_a_source_that_has_changed_is_refused(self):
        for text in ("void f() {\n  h(a_ < 1);\n}\n", "void g() {\n  h(a_ > 1);\n}\n",
                     "void f() {\n  h(a_ > 1, a_ > 1);\n}\n"):
            with self.assertRaises(DoesNotApply):
                planted(text, Patch("", "a_ > 1", "a_ >= 1", "void f("))

    def test_two_places_are_refused(self):
        with self.assertRaises(DoesNotApply):
            planted("f(1);\nf(1);\n", Patch("", "f(1)", "f(2)"))

    def test_a_part_of_a_word_is_no_place(self):
        with self.assertRaises(DoesNotApply):
            planted("int there = 1;\n", Patch("", "here = 1", "here = 2"))

    def test_the_compiler_gets_other_files_and_writes_no_notes(self):
        command = ["g++", "-O2", "-MD", "-MQ", "a.o", "-MF", "a.d", "-o", "a.o", "-c", "a.cpp"]
        self.assertEqual(with_files(command, "b.cpp", "b.o"),
                         ["g++", "-O2", "-o", "b.o", "-c", "b.cpp"])


if __name__ == "__main__":
    unittest.main()
