# SPDX-License-Identifier: MIT
"""What the filter makes of a header, and that none of weir's leaves a name without a word."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import reference  # noqa: E402
from filter import Speaker, filtered  # noqa: E402
from undocumented import Declarations  # noqa: E402

TOP = "// Public.\n// SPDX-License-Identifier: MIT\n"


def made_of(text: str) -> list[str]:
    return filtered(TOP + text, Speaker())[2:]


class Filter(unittest.TestCase):
    def test_no_line_is_added_or_taken_away(self):
        for header in reference.public_headers(reference.ROOT):
            text = (reference.ROOT / header).read_text(encoding="utf-8")
            self.assertEqual(len(filtered(text, Speaker())), text.count("\n"), header)

    def test_a_plain_comment_is_a_contract(self):
        self.assertEqual(made_of("// What it is.\nint x;")[0], "/// What it is.")

    def test_a_heading_is_not(self):
        self.assertEqual(made_of("// ---- Scheduling")[0], "// ---- Scheduling")

    def test_a_comment_behind_a_member_belongs_to_it(self):
        self.assertEqual(made_of("int x;  // First,\n        // then more."),
                         ["int x;  ///< First,", "        ///< then more."])

    def test_doxygens_marks_are_taken_literally_but_not_in_code(self):
        self.assertEqual(made_of("/// <Task \\n> `a<b>` @x \"<Task>\"")[0],
                         "/// \\<Task \\\\n\\> `a<b>` \\@x \"<Task>\"")

    def test_a_field_of_a_contract_begins_an_item(self):
        self.assertEqual(made_of("/// Errors    OSError  no.")[0],
                         "/// - **Errors** &ensp; OSError  no.")

    def test_what_the_compiler_writes_needs_no_words(self):
        self.assertEqual(made_of("/// X.\nclass X {\n public:\n  X(const X&) = delete;\n};")[3],
                         "/** Deleted. */   X(const X&) = delete;")

    def test_an_overload_is_told_of_as_one(self):
        self.assertEqual(made_of("/// F.\nvoid f(int);\nvoid f(char);")[2],
                         "/** As above, with other arguments. */ void f(char);")


class Words(unittest.TestCase):
    def test_the_undocumented_are_found(self):
        text = TOP + ("/// X.\nclass X {\n public:\n  int a;\n  int b;  // B.\n  /// C.\n  int c;\n"
                      " private:\n  int d;\n};\nnamespace detail {\nint e;\n}\n")
        self.assertEqual([each.name for each in Declarations(text).found if not each.documented],
                         ["a"])

    def test_every_public_name_of_weir_has_a_word(self):
        for header in reference.public_headers(reference.ROOT):
            speaker = Speaker()
            for each in Declarations((reference.ROOT / header).read_text(encoding="utf-8")).found:
                said = speaker.text(each) or each.documented or "override" in each.tokens
                where = f"{header}:{each.line + 1}: {each.scope}::{each.name}"
                self.assertTrue(said, f"{where}: a comment there, or a line in docs/api/words.txt")

    def test_there_is_no_word_that_nothing_needs(self):
        self.assertEqual(reference.words_that_nothing_needs(reference.ROOT), [])


if __name__ == "__main__":
    unittest.main()
