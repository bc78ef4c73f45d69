# SPDX-License-Identifier: MIT
"""A program that is compiled in one line, with what pkg-config says."""

import os
import unittest

import installed
from installed import CONSUMER, SAYS, new_folder, run


class PkgConfig(unittest.TestCase):
    def test_it_says_the_version(self):
        self.assertEqual(installed.both().ask_pkg_config("--modversion"), [installed.version()])

    def test_threads_are_for_those_who_link_statically(self):
        of = installed.both()
        self.assertNotIn("-pthread", of.ask_pkg_config("--libs"))
        self.assertIn("-pthread", of.ask_pkg_config("--libs", "--static"))

    def test_a_program_with_the_shared_library(self):
        of = installed.shared()
        flags = of.ask_pkg_config("--cflags", "--libs")
        program = new_folder("pkg_config_shared") / "app"
        # Hidden as the program's own names may be, its exceptions are still those of weir.
        run("g++", "-std=c++20", "-fvisibility=hidden", CONSUMER / "app.cpp", "-o", program, *flags)
        environment = {**os.environ, "LD_LIBRARY_PATH": str(of.libraries)}
        self.assertEqual(run(program, env=environment), SAYS)
        self.assertIn("libweir.so.0.1", run("ldd", program, env=environment))

    def test_a_program_with_the_static_library(self):
        flags = installed.static().ask_pkg_config("--cflags", "--libs", "--static")
        program = new_folder("pkg_config_static") / "app"
        run("g++", "-std=c++20", CONSUMER / "app.cpp", "-o", program, *flags)
        self.assertEqual(run(program), SAYS)
        self.assertNotIn("libweir", run("ldd", program))


if __name__ == "__main__":
    unittest.main()
