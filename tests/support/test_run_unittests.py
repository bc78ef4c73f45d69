# SPDX-License-Identifier: MIT
"""run_unittests.py, run over files made by hand: what a skipped test counts for."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

RUNNER = pathlib.Path(__file__).with_name("run_unittests.py")
SCRIPT = """
import unittest
class T(unittest.TestCase):
    def test_that_runs(self):
        pass
    @unittest.skip({reason!r})
    def test_that_does_not(self):
        pass
"""


class Skips(unittest.TestCase):
    def run_with(self, reason: str) -> tuple[int, str, list[str]]:
        """Exit status, output, and the first words of the summary's lines."""
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "test_planted.py").write_text(SCRIPT.format(reason=reason))
            summary = pathlib.Path(folder, "summary")
            result = subprocess.run(
                [sys.executable, RUNNER, "--weir-summary", summary, folder],
                capture_output=True, text=True, timeout=60, check=False)
            words = [line.split("\t")[0] for line in summary.read_text().splitlines()]
            return result.returncode, result.stdout, words

    def test_a_skipped_test_has_failed(self):
        status, output, words = self.run_with("because")
        self.assertEqual((status, words.count("failed")), (1, 1))
        self.assertIn("skipped: because", output)

    def test_a_test_whose_client_is_not_installed_is_named_and_not_counted(self):
        status, output, words = self.run_with("not installed: nc (apt package netcat-openbsd)")
        self.assertEqual((status, words.count("failed"), words.count("passed")), (0, 0, 1))
        self.assertIn("SKIPPED  test_planted: that does not: not installed: nc", output)


if __name__ == "__main__":
    unittest.main()
