# SPDX-License-Identifier: MIT
"""What `meson install` installs, and what a shared weir shows."""

import re
import sys
import unittest

import installed

sys.path.insert(0, str(installed.ROOT / "tests/lint"))
from check_names import Names  # noqa: E402

INCLUDE = re.compile(r"^#include <weir/([^>]+)>", re.MULTILINE)


def symbols_of(*options: str) -> dict[str, str]:
    """name -> type, of nm(1)."""
    found = {}
    for line in installed.run("nm", "-C", "--defined-only", *options).splitlines():
        symbol = re.match(r"[0-9a-f]+ ([A-Za-z]) (.+)", line)
        if symbol:
            found[symbol[2]] = symbol[1]
    return found


def whose(name: str) -> str:
    """`std::vector< >::resize` of `std::vector<weir::Ready>::resize(int)`."""
    while name != (shorter := re.sub(r"<[^<>]*>", "< >", name.replace("< >", " "))):
        name = shorter
    return name.removeprefix("decltype(auto) ").split("(")[0]


class Headers(unittest.TestCase):
    def setUp(self):
        self.folder = installed.both().headers / "weir"
        self.names = {path.relative_to(self.folder).as_posix()
                      for path in self.folder.rglob("*") if path.is_file()}

    def test_they_include_only_what_is_installed(self):
        for name in self.names:
            for included in INCLUDE.findall((self.folder / name).read_text(encoding="utf-8")):
                self.assertIn(included, self.names, name)

    def test_all_public_ones_are_there(self):
        public = {path.relative_to(installed.ROOT).as_posix()
                  for folder in ("reactor", "net", "streams")
                  for path in (installed.ROOT / folder).rglob("*.hpp")
                  if path.read_text(encoding="utf-8").startswith("// Public.")}
        self.assertEqual(public - self.names, set())

    def test_all_together_compile_as_strictly_as_may_be(self):
        program = "".join(f"#include <weir/{name}>\n" for name in sorted(self.names))
        warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
        installed.run("g++", "-std=c++20", "-fsyntax-only", *warnings,
                      f"-I{installed.both().headers}", "-x", "c++", "-", input=program)


class Files(unittest.TestCase):
    def test_nothing_but_headers_libraries_and_what_finds_them_is_installed(self):
        prefix, version = installed.both().prefix, installed.version()
        found = {path.relative_to(prefix).as_posix() for path in prefix.rglob("*")
                 if not path.is_dir() and path.suffix != ".hpp"}
        names = {"libweir.a", "libweir.so", "libweir.so.0.1", f"libweir.so.{version}",
                 "pkgconfig/weir.pc", "cmake/weir/weirConfig.cmake",
                 "cmake/weir/weirConfigVersion.cmake"}
        self.assertEqual(found, {f"{installed.build_option('libdir')}/{name}" for name in names})

    def test_nothing_of_the_tests_is_installed(self):
        text = "".join(path.read_text(encoding="utf-8")
                       for path in installed.both().headers.rglob("*.hpp"))
        self.assertNotIn("doctest", text)
        self.assertNotIn("<tests/", text)


class Shared(unittest.TestCase):
    """The library of reactor/export.hpp."""

    def setUp(self):
        libraries = installed.both().libraries
        self.shown = symbols_of("-D", libraries / "libweir.so")
        self.defined = symbols_of(libraries / "libweir.a")

    def test_it_shows_names_of_weir_only(self):
        self.assertGreater(len(self.shown), 300)
        self.assertEqual([name for name in self.shown if "weir::" not in whose(name)], [])

    def test_it_shows_nothing_that_a_source_keeps_to_itself(self):
        self.assertEqual([name for name in self.shown if "(anonymous" in name], [])
        self.assertFalse(any("SocketTransport" in name for name in self.shown))

    def test_it_shows_all_that_the_installed_headers_declare(self):
        visible, opaque = set(), set()
        for path in installed.both().headers.rglob("*.hpp"):
            visible |= set(Names(path.read_text(encoding="utf-8"), is_source=False).shared)
        for folder in ("reactor", "net", "streams"):
            for path in (installed.ROOT / folder).rglob("*.hpp"):
                name = path.relative_to(installed.ROOT)
                if not (installed.both().headers / "weir" / name).exists():
                    opaque |= set(Names(path.read_text(encoding="utf-8"), is_source=False).shared)
        hidden = []
        for name, kind in self.defined.items():
            ours = re.match(r"((typeinfo|vtable) for )?weir::(detail::|testing::)?(\w+)", name)
            if ours and ours[4] in visible - opaque and kind in "TDBR" and name not in self.shown:
                hidden.append(name)
        self.assertEqual(hidden, [])


if __name__ == "__main__":
    unittest.main()
