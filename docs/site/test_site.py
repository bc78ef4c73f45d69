# SPDX-License-Identifier: MIT
"""The site's own tools: what they make of a page, and what they find in a built one."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import build  # noqa: E402
import check_html  # noqa: E402


class Built(unittest.TestCase):
    """A site of two pages."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        (self.root / "book").mkdir()
        self.write("book/one.html", '<h1 id="top">One</h1>')

    def write(self, path: str, text: str) -> None:
        (self.root / path).write_text(text, encoding="utf-8")

    def errors_of(self, body: str) -> list[str]:
        self.write("index.html", body)
        site = check_html.Site(self.root)
        site.check()
        return site.errors

    def test_links_that_lead_somewhere_are_clean(self):
        self.assertEqual(self.errors_of('<a href="book/one.html#top">a</a><a href="#b" id="b">c</a>'
                                        '<a href="https://example.org/x">d</a>'), [])

    def test_a_link_to_a_page_that_is_not_there_is_found(self):
        self.assertEqual(self.errors_of('<a href="book/two.html">a</a>'),
                         ["index.html:1: book/two.html: no such file"])

    def test_a_link_to_an_anchor_that_is_not_there_is_found(self):
        self.assertEqual(self.errors_of('<a href="book/one.html#end">a</a>'),
                         ["index.html:1: book/one.html#end: no such anchor"])

    def test_a_folder_without_an_index_is_found(self):
        self.assertEqual(self.errors_of('<a href="book/">a</a>'),
                         ["index.html:1: book/: no such file"])

    def test_a_script_from_elsewhere_is_found(self):
        self.assertEqual(self.errors_of('<script src="https://example.org/x.js"></script>'),
                         ["index.html:1: https://example.org/x.js is loaded from elsewhere"])
        self.assertEqual(self.errors_of('<link rel="stylesheet" href="//example.org/x.css">'),
                         ["index.html:1: //example.org/x.css is loaded from elsewhere"])

    def test_a_font_from_elsewhere_is_found(self):
        self.write("book/x.css", "@font-face { src: url('https://example.org/x.woff2') }")
        self.assertEqual(self.errors_of(""),
                         ["book/x.css:1: https://example.org/x.woff2 is loaded from elsewhere"])

    def test_a_broken_link_is_the_exit_code(self):
        self.write("index.html", '<a href="nowhere.html">a</a>')
        done = subprocess.run([sys.executable, HERE / "check_html.py", self.root],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("index.html:1: nowhere.html: no such file", done.stdout)


class Copied(unittest.TestCase):
    """What a page becomes before the generator sees it."""

    def setUp(self):
        self.pages = build.Pages(pathlib.Path("unused"))

    def test_a_link_to_a_source_leads_to_a_page_that_shows_it(self):
        self.assertEqual(self.pages.relinked("docs/book/x.md", "[a](../../reactor/clock.hpp)"),
                         "[a](../source/reactor/clock.hpp.md)")
        self.assertEqual(self.pages.queue, ["reactor/clock.hpp"])

    def test_a_link_to_a_folder_leads_to_the_list_of_its_files(self):
        self.assertEqual(self.pages.relinked("docs/x.md", "[a](../reactor/poller)"),
                         "[a](source/reactor/poller/README.md)")
        self.assertIn("- [poller.hpp](../poller/poller.hpp.md)".replace("../poller/", ""),
                      self.pages.listing("reactor/poller"))

    def test_a_link_to_a_folder_with_a_page_of_its_own_leads_to_that(self):
        self.assertEqual(self.pages.relinked("docs/x.md", "[a](site/../../tests/fuzz)"),
                         "[a](source/tests/fuzz/README.md.md)")

    def test_links_between_pages_stay_as_they_are(self):
        self.assertEqual(self.pages.relinked("docs/x.md", "[a](one_byte.md#watch-it) [b](#c)"),
                         "[a](one_byte.md#watch-it) [b](#c)")

    def test_a_link_to_nothing_is_an_error(self):
        with self.assertRaisesRegex(build.SiteError, "docs/x.md: there is no docs/planted.md"):
            self.pages.relinked("docs/x.md", "[a](planted.md)")

    def test_what_stands_in_code_is_no_link(self):
        self.assertEqual(self.pages.prose("docs/x.md", 1, "`[a](planted.md)`"), "`[a](planted.md)`")

    def test_a_picture_with_colours_of_its_own_stays_a_picture(self):
        picture = "![a](readuntil/throughput.svg)"
        self.assertEqual(self.pages.prose("docs/readuntil.md", 1, picture), picture)


class Configuration(unittest.TestCase):
    """The list of the pages."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.pages = pathlib.Path(folder.name)
        for path in ("README.md", "a/README.md", "a/1.md", "a/2.md"):
            (self.pages / path).parent.mkdir(exist_ok=True)
            (self.pages / path).write_text("# Page\n", encoding="utf-8")

    def nav(self, *lines: str) -> list[str]:
        return build.configuration(self.pages, "\n".join(lines)).splitlines()

    def test_a_glob_names_what_no_other_line_does(self):
        self.assertEqual(self.nav("  - README.md", "  - A:", "      - glob: a/*.md", "  - B:",
                                  '      - "Two": a/2.md'),
                         ["  - README.md", "  - A:", "      - a/README.md", "      - a/1.md",
                          "  - B:", '      - "Two": a/2.md'])

    def test_a_section_without_pages_is_left_out(self):
        self.assertEqual(self.nav("  - A:", "      - glob: **/*.md", "  - B:",
                                  "      - glob: b/*.md", "  - C:", "      - README.md")[-2:],
                         ["  - C:", "      - README.md"])

    def test_a_page_without_a_place_is_an_error(self):
        with self.assertRaisesRegex(build.SiteError, "does not name a/1.md, a/2.md, a/README.md"):
            self.nav("  - README.md")

    def test_a_place_without_a_page_is_an_error(self):
        with self.assertRaisesRegex(build.SiteError, "there is no b.md"):
            self.nav("  - glob: **/*.md", "  - b.md")


if __name__ == "__main__":
    unittest.main()
