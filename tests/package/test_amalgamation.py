# SPDX-License-Identifier: MIT
"""weir.hpp and weir.cpp: complete, always the same, and a program with them on one command line."""

import os
import pathlib
import re
import shutil
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor

from installed import CONSUMER, ROOT, SAYS, commands, new_folder, real, run

sys.path.insert(0, str(ROOT / "docs/package"))
import amalgamate  # noqa: E402

FILE = re.compile(r"^// ---- (\S+) -+$", re.MULTILINE)


def available_searches() -> list[str]:
    """Those with flags of their own work as well as the obvious one, if this processor has them."""
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return ["scalar"] + [name for name in ("sse2", "avx2") if name in flags]


class Amalgamation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = new_folder("amalgamation")
        amalgamate.write(cls.folder)
        cls.header = (cls.folder / "weir.hpp").read_text(encoding="utf-8")
        cls.source = (cls.folder / "weir.cpp").read_text(encoding="utf-8")
        program = (CONSUMER / "app.cpp").read_text(encoding="utf-8")
        cls.app = program.replace("<weir/streams/streams.hpp>", '"weir.hpp"')
        # At the same time: each takes as long as all else here.
        pool = ThreadPoolExecutor()
        cls.addClassCleanup(pool.shutdown)
        cls.programs = {compiler: pool.submit(cls.build, compiler)
                        for compiler in ("g++", "clang++-19") if shutil.which(compiler)}

    @classmethod
    def build(cls, compiler: str) -> pathlib.Path:
        """The line that the page has, but for the warnings: nobody should see one."""
        folder = new_folder(f"amalgamation/{compiler}")
        (folder / "app.cpp").write_text(cls.app, encoding="utf-8")
        for name in "weir.hpp", "weir.cpp":
            (folder / name).symlink_to(cls.folder / name)
        line = commands("using_weir.md", "test_amalgamation")[0].replace("g++", compiler)
        run("bash", "-c", f"{line} -Wall -Wextra -Werror", cwd=folder)
        return folder / "app"

    def test_every_file_of_the_library_is_in_it_once(self):
        found = FILE.findall(self.header) + FILE.findall(self.source)
        library = {path.relative_to(ROOT).as_posix()
                   for folder in ("reactor", "net", "streams")
                   for path in (ROOT / folder).rglob("*.[hc]pp")}
        self.assertEqual(sorted(found), sorted(library))
        self.assertLessEqual(set(amalgamate.WHEN), library)

    def test_the_header_has_every_public_header_and_no_source(self):
        found = set(FILE.findall(self.header))
        self.assertLessEqual({path.relative_to(ROOT).as_posix()
                              for folder in ("reactor", "net", "streams")
                              for path in (ROOT / folder).rglob("*.hpp")
                              if path.read_text(encoding="utf-8").startswith("// Public.")}, found)
        self.assertFalse(any(name.endswith(".cpp") for name in found))

    def test_no_include_of_weir_is_left(self):
        self.assertNotIn("#include <weir/", self.header + self.source)
        self.assertEqual(re.findall(r'#include "([^"]+)"', self.header + self.source),
                         ["weir.hpp"])

    def test_both_say_the_licence(self):
        for text in self.header, self.source:
            self.assertIn("// Permission is hereby granted, free of charge", text)

    def test_it_is_the_same_every_time(self):
        again = amalgamate.Amalgamation()
        self.assertEqual(again.header(), self.header)
        self.assertEqual(again.source(), self.source)

    def check(self, compiler: str) -> None:
        program = self.programs[compiler].result()
        for search in available_searches():
            self.assertEqual(run(program, env={**os.environ, "WEIR_SIMD": search}), SAYS)

    def test_a_program_with_gcc(self):
        self.check("g++")

    @real("clang++-19", "clang-19")
    def test_a_program_with_clang(self):
        self.check("clang++-19")


if __name__ == "__main__":
    unittest.main()
