# SPDX-License-Identifier: MIT
"""docs/errno_policy.md says what the table says, and the command finds what is planted."""

import os
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", ROOT / "build/gcc")) / "tests/weir_faults"


# The canary leaks on purpose: LeakSanitizer need not say so again.
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}


def faults(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=120, env=ENVIRONMENT)


class Policy(unittest.TestCase):
    def test_page_is_not_stale(self):
        page = (ROOT / "docs/errno_policy.md").read_text(encoding="utf-8")
        self.assertEqual(faults("--policy").stdout, page, "run ./dev faults --policy")


class Command(unittest.TestCase):
    def test_scenario_without_violations_succeeds(self):
        result = faults("--scenario", "timers")
        self.assertRegex(result.stdout, r"1 scenarios, .* 0 violations\n$")
        self.assertEqual(result.returncode, 0)

    def test_violation_is_printed_with_the_command_that_repeats_it(self):
        result = faults("--scenario", "canary_leaked_memory", "--call", "recv")
        self.assertIn("repeat with: ./dev faults --scenario canary_leaked_memory "
                      "--fault 'recv:1:ECONNRESET'", result.stdout)
        self.assertEqual(result.returncode, 1)
        again = faults("--scenario", "canary_leaked_memory", "--fault", "recv:1:ECONNRESET")
        self.assertIn("recv:1:ECONNRESET: violated", again.stdout)
        self.assertEqual(again.returncode, 1)

    def test_crash_is_one_violation(self):
        result = faults("--scenario", "canary_crashes", "--shown", "100")
        # Once, and from then on: each process goes on behind the case that ended the one before.
        for case in ("send:1:EPIPE", "send:1:EPIPE:always"):
            self.assertRegex(result.stdout, rf"VIOLATION  canary_crashes  {case}\n"
                                            r" +was killed by signal 6")
        self.assertRegex(result.stdout, r"\d\d+ runs, \d+ violations\n$")

    def test_unknown_scenario_and_fault_are_refused(self):
        self.assertEqual(faults("--scenario", "no such").returncode, 2)
        self.assertEqual(faults("--scenario", "echo", "--fault", "recv:1:NONE").returncode, 2)


if __name__ == "__main__":
    unittest.main()
