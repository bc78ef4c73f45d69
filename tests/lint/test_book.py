# SPDX-License-Identifier: MIT
"""The checks of the documentation find what is planted in a copy of the tree."""

import pathlib
import shutil
import tempfile
import unittest

import md
from test_lint import ROOT, Copy

SOURCE = "// SPDX-License-Identifier: MIT\n"
PAGE = "docs/planted.md"
CODE = "docs/planted.cpp"


class Small(Copy):
    """A copy of what the checks need, and of one page."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "weir"
        shutil.copytree(ROOT / "tests/lint", self.root / "tests/lint",
                        ignore=shutil.ignore_patterns("__pycache__"))
        for path in ("dev", "docs/one_byte.md", "reactor/event_loop.cpp"):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, self.root / path)


class Links(Small):
    def test_the_tree_is_clean(self):
        self.root = ROOT
        self.assert_clean("links")

    def assert_link(self, link: str, error: str) -> None:
        self.write(PAGE, f"# Planted\n\nSee [there]({link}).\n\n## Two words, `and_code`\n")
        if error:
            self.assert_found("links", f"{PAGE}:3: {link}{error}", PAGE)
        else:
            self.assert_clean("links", PAGE)

    def test_a_link_to_a_file_that_is_not_there_is_found(self):
        self.assert_link("nowhere.md", ": there is no docs/nowhere.md")
        self.assert_link("../net/planted.hpp", ": there is no net/planted.hpp")

    def test_a_link_in_the_wrong_case_is_found(self):
        self.assert_link("One_byte.md", ": there is no docs/One_byte.md")

    def test_a_link_to_a_heading_that_is_not_there_is_found(self):
        self.assert_link("#three-words", ": docs/planted.md has no heading for #three-words")
        self.assert_link("one_byte.md#planted", ": docs/one_byte.md has no heading for #planted")

    def test_a_link_out_of_the_repository_is_found(self):
        self.assert_link("../../planted.md", " leads out of the repository")

    def test_links_to_headings_files_folders_and_elsewhere_are_clean(self):
        self.assert_link("#two-words-and_code", "")
        self.assert_link("one_byte.md#watch-it", "")
        self.assert_link("../reactor", "")
        self.assert_link("https://example.org/nowhere", "")

    def test_what_only_looks_like_a_link_is_not_one(self):
        self.write(PAGE, "# Planted\n\n`[a](b)`\n\n```output\n[c](d)\n```\n")
        self.assert_clean("links", PAGE)

    def test_a_picture_that_is_not_there_is_found(self):
        self.write(PAGE, "# Planted\n\n![a picture](planted.svg)\n")
        self.assert_found("links", "there is no docs/planted.svg", PAGE)


class Blocks(Small):
    def plant(self, fence: str, source: str = "") -> None:
        self.write(PAGE, f"# Planted\n\n{fence}\n")
        if source:
            self.write(CODE, SOURCE + source)

    def test_the_tree_is_clean(self):
        self.root = ROOT
        self.assert_clean("blocks")

    def test_code_that_is_from_nowhere_is_found(self):
        self.plant("```cpp\nint x;\n```")
        self.assert_found("blocks", f"{PAGE}:3: cpp: neither extracted", PAGE)
        self.plant("```\nint x;\n```")
        self.assert_found("blocks", f"{PAGE}:3: no language: neither extracted", PAGE)

    def test_indented_code_is_found(self):
        self.plant("Like this:\n\n    int x;")
        self.assert_found("blocks", f"{PAGE}:5: code that is only indented", PAGE)

    def test_a_list_that_only_the_forge_sees_is_found(self):
        self.plant("These:\n- one\n- two")
        self.assert_found("blocks", f"{PAGE}:4: a list begins after an empty line", PAGE)

    def test_code_that_has_drifted_is_found(self):
        fence = f"<!-- code: {CODE}#part -->\n```cpp\nint x = 1;\n```"
        self.plant(fence, "void f() {\n  // [part]\n  int x = 1;\n  // [/part]\n}\n")
        self.assert_clean("blocks", PAGE)
        self.plant(fence, "void f() {\n  // [part]\n  int x = 2;\n  // [/part]\n}\n")
        self.assert_found("blocks", f"{PAGE}:4: is not {CODE}#part any more", PAGE)

    def test_a_part_that_is_gone_is_found(self):
        fence = f"<!-- code: {CODE}#part -->\n```cpp\nint x = 1;\n```"
        self.plant(fence)
        self.assert_found("blocks", f"there is no {CODE}", PAGE)
        self.plant(fence, "// [part]\nint x = 1;\n")
        self.assert_found("blocks", f"{CODE} has no part [part]", PAGE)

    def test_a_whole_file_is_without_its_licence_and_its_marks(self):
        self.plant(f"<!-- code: {CODE} -->\n```cpp\nint x;\n```", "// [part]\nint x;\n// [/part]\n")
        self.assert_clean("blocks", PAGE)

    def test_update_writes_what_the_file_says(self):
        self.plant(f"<!-- code: {CODE}#part -->\n```cpp\nold\n```\n\nAnd on.",
                   "// [part]\nint x;\n\nint y;\n// [/part]\n")
        self.assert_clean("blocks", "--update", PAGE)
        self.assertEqual((self.root / PAGE).read_text(encoding="utf-8"),
                         f"# Planted\n\n<!-- code: {CODE}#part -->\n```cpp\nint x;\n\nint y;\n```\n"
                         "\nAnd on.\n")

    def test_update_says_which_part_is_gone(self):
        self.plant(f"<!-- code: {CODE}#part -->\n```cpp\nold\n```", "int x;\n")
        self.assert_found("blocks", f"{CODE} has no part [part]", "--update", PAGE)

    def test_a_command_or_option_that_is_not_there_is_found(self):
        self.plant("```sh\n./dev tset\n```")
        self.assert_found("blocks", f"{PAGE}:4: there is no ./dev tset", PAGE)
        self.plant("```sh\n./dev test --asna  # quickly\n```")
        self.assert_found("blocks", "./dev test --help does not know --asna", PAGE)
        self.plant("```sh\nmake\n```")
        self.assert_found("blocks", f"{PAGE}:4: make is not ./dev", PAGE)

    def test_commands_that_no_test_takes_from_the_page_are_found(self):
        self.plant("<!-- run: tests/planted.py -->\n```sh\nmake\n```")
        self.assert_found("blocks", "there is no tests/planted.py that could run", PAGE)
        self.write("tests/planted.py", "# reads nothing\n")
        self.assert_found("blocks", "tests/planted.py does not read planted.md", PAGE)
        self.write("tests/planted.py", "# reads docs/planted.md\n")
        self.assert_clean("blocks", PAGE)

    def test_output_and_diagrams_are_clean(self):
        self.plant("```output\nint x;\n```\n\n```diagram\n[a] -> [b]\n```")
        self.assert_clean("blocks", PAGE)


class Anchors(unittest.TestCase):
    def test_a_heading_becomes_the_anchor_that_the_forge_makes(self):
        self.assertEqual(md.slug("One pass, `run_once()`: *why*?"), "one-pass-run_once-why")
        self.assertEqual(md.slug("A [link](b.md) - and"), "a-link---and")

    def test_a_heading_that_comes_again_is_counted(self):
        self.assertEqual(md.anchors("# A b\n\n## A b\n\n## A b\n"), {"a-b", "a-b-1", "a-b-2"})

    def test_a_heading_in_a_fence_is_none(self):
        self.assertEqual(md.anchors("# A\n\n```sh\n# B\n```\n"), {"a"})


if __name__ == "__main__":
    unittest.main()
