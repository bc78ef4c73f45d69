# SPDX-License-Identifier: MIT
"""A share of `./dev faults --oom`, and that it finds what was planted."""

import os
import pathlib
import subprocess
import unittest

PROGRAM = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", "build/gcc")) / "tests" / "weir_oom"


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)


class Oom(unittest.TestCase):
    def test_every_eleventh_allocation_that_fails_is_lived_through(self):
        done = run("--stride", "11")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"\d{2,} scenarios, \d{4,} .* 0 violations\n$")

    def test_programs_with_a_planted_error_are_found_wanting(self):
        done = run("--canaries")
        self.assertEqual(done.returncode, 1, done.stdout)
        for name in ("allocates_where_it_must_not", "tells_nobody", "terminates", "leaks",
                     "leaves_a_descriptor", "waits_for_ever"):
            self.assertIn(f"VIOLATION canary_{name},", done.stdout)

    def test_an_unknown_option_and_an_unknown_scenario_are_refused(self):
        self.assertEqual(run("--nonsense").returncode, 2)
        self.assertEqual(run("--scenario", "nonsense").returncode, 1)


if __name__ == "__main__":
    unittest.main()
