# SPDX-License-Identifier: MIT
"""A program that is compiled in one line, with what pkg-config says."""

import shutil
import sys
import unittest

import installed
from installed import CONSUMER, SAYS, commands, new_folder, run


class PkgConfig(unittest.TestCase):
    def test_it_says_the_version(self):
        self.assertEqual(installed.both().ask_pkg_config("--modversion"), [installed.version()])

    def test_threads_are_for_those_who_link_statically(self):
        of = installed.both()
        self.assertNotIn("-pthread", of.ask_pkg_config("--libs"))
        self.assertIn("-pthread", of.ask_pkg_config("--libs", "--static"))

    def build(self, command: str, of: installed.Installation) -> str:
        """Returns what the loader says of the program, which has said what it should."""
        folder = new_folder("pkg_config") / of.prefix.name
        folder.mkdir()
        shutil.copy(CONSUMER / "app.cpp", folder)
        run("bash", "-c", command, cwd=folder, env=of.environment())
        self.assertEqual(run(folder / "app", env=of.environment()), SAYS)
        return run("ldd", folder / "app", env=of.environment())

    def test_a_program_with_the_shared_library(self):
        # Hidden as the program's own names may be, its exceptions are still those of weir.
        command = commands("using_weir.md", "test_pkg_config")[0] + " -fvisibility=hidden"
        self.assertIn("libweir.so.0.1", self.build(command, installed.shared()))

    def test_a_program_with_the_static_library(self):
        command = commands("using_weir.md", "test_pkg_config")[1]
        self.assertNotIn("libweir", self.build(command, installed.static()))

    def test_a_plug_in_that_is_loaded_when_the_program_runs(self):
        # The memory of threads that dlopen() can give is scarce: 2 KiB of it were too many.
        of = installed.shared()
        folder = new_folder("plug_in")
        flags = of.ask_pkg_config("--cflags", "--libs")
        run("g++", "-std=c++20", "-shared", "-fPIC", CONSUMER / "plugin.cpp",
            "-o", folder / "plugin.so", *flags, env=of.environment())
        host = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).answer())"
        said = run(sys.executable, "-c", host, folder / "plugin.so", env=of.environment())
        self.assertEqual(said, "42\n")


if __name__ == "__main__":
    unittest.main()
