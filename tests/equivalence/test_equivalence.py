# SPDX-License-Identifier: MIT
"""A share of ./dev equivalence, and whether its planted bugs can still be planted."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", ROOT / "build/gcc"))
PROGRAM = str(BUILD / "tests/equivalence")
sys.path.insert(0, str(HERE))

import equivalence_mutants  # noqa: E402
import planting  # noqa: E402


def run(*options: str) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, *options], capture_output=True, text=True, timeout=120)


class Share(unittest.TestCase):
    def test_every_back_end_does_what_the_model_says(self):
        done = run("--seconds", "2", "--jobs", "2")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        counted = re.search(r"^(\d+) scripts, (\d+) runs on 5 back ends", done.stdout, re.MULTILINE)
        self.assertGreater(int(counted[1]), 20, done.stdout)
        self.assertGreater(int(counted[2]), 4 * int(counted[1]), done.stdout)

    def test_the_scripts_of_a_seed_can_be_repeated(self):
        done = run("--seed", "7", "--first", "100", "--scripts", "5", "--jobs", "1")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("seed 7\n5 scripts, ", done.stdout)

    def test_each_planted_bug_still_has_its_place(self):
        for bug in equivalence_mutants.BUGS.values():
            planting.planted_file(bug)  # Raises, and says what to follow.
            self.assertNotEqual(bug.old, bug.new)


if __name__ == "__main__":
    unittest.main()
