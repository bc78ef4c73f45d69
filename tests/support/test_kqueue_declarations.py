# SPDX-License-Identifier: MIT
"""The kqueue back end compiles with the types of FreeBSD and of macOS, and without Linux."""

import os
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", ROOT / "build/gcc"))
SOURCE = "reactor/poller/poller_kqueue.cpp"
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
         "-Wsign-conversion", "-Werror", f"-I{BUILD / 'include'}"]
LINUX = {"epoll.h", "eventfd.h", "signalfd.h", "timerfd.h", "inotify.h"}


class Declarations(unittest.TestCase):
    def compile(self, system: str, *options: str, source: str = SOURCE) -> str:
        done = subprocess.run(
            [os.environ.get("CXX", "g++"), *FLAGS, "-isystem", f"tests/support/kqueue/{system}",
             *options, source], cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def headers(self, system: str, source: str = SOURCE) -> list[str]:
        return self.compile(system, "-M", source=source).replace("\\\n", " ").split()[1:]

    def test_it_compiles_with_the_types_of_freebsd(self):
        self.compile("freebsd", "-fsyntax-only")

    def test_it_compiles_with_the_types_of_macos(self):
        self.compile("macos", "-fsyntax-only")

    def test_no_header_of_linux_is_among_those_that_it_includes(self):
        for system in ("freebsd", "macos"):
            headers = self.headers(system)
            self.assertIn(f"tests/support/kqueue/{system}/sys/event.h", headers)
            self.assertEqual([path for path in headers if pathlib.Path(path).name in LINUX], [])

    def test_the_header_of_epoll_would_be_seen(self):
        headers = self.headers("freebsd", "reactor/poller/poller_epoll.cpp")
        self.assertIn("epoll.h", [pathlib.Path(path).name for path in headers])


if __name__ == "__main__":
    unittest.main()
