# SPDX-License-Identifier: MIT
"""The test programs' reporter, and the sums of ./dev test; selftest_reporter has the cases."""

import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ["WEIR_BUILD_DIR"]) / "tests" / "selftest_reporter"


class Reporter(unittest.TestCase):
    def run_cases(self, pattern: str) -> tuple[int, str]:
        """Exit status and output of the cases whose name matches."""
        result = subprocess.run([PROGRAM, f"--test-case={pattern}", "--test-suite=selftest"],
                                capture_output=True, text=True, timeout=60, check=False)
        return result.returncode, result.stdout

    def summary_of(self, pattern: str) -> list[list[str]]:
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as summary:
            subprocess.run([PROGRAM, f"--test-case={pattern}", "--test-suite=selftest",
                            f"--weir-summary={summary.name}"],
                           capture_output=True, timeout=60, check=False)
            return [line.rstrip("\n").split("\t") for line in summary]

    def assert_fails(self, pattern: str, *words: str) -> None:
        status, output = self.run_cases(pattern)
        self.assertEqual(status, 1, output)
        self.assertIn("weir-tests: passed=0 failed=1", output)
        for word in words:
            self.assertIn(word, output)

    def test_a_case_that_asserts_passes(self):
        status, output = self.run_cases("asserts and passes")
        self.assertEqual(status, 0, output)
        self.assertIn("weir-tests: passed=1 failed=0", output)

    def test_a_failed_assertion_fails_the_run(self):
        self.assert_fails("asserts and fails", "selftest_reporter.cpp")

    def test_a_case_that_asserts_nothing_fails_the_run(self):
        self.assert_fails("asserts nothing", "asserts nothing", "selftest_reporter.cpp:")

    def test_a_message_is_no_assertion(self):
        self.assert_fails("asserts nothing but prints", "asserts nothing")

    def test_a_warning_is_no_assertion(self):
        self.assert_fails("asserts nothing but warns", "asserts nothing")

    def test_one_asserting_subcase_is_enough(self):
        status, output = self.run_cases("asserts in one of two subcases")
        self.assertEqual(status, 0, output)

    def test_an_exception_fails_the_run(self):
        self.assert_fails("throws", "on purpose")

    def test_a_template_counts_once(self):
        status, output = self.run_cases("is one case for three types*")
        self.assertEqual(status, 0, output)
        self.assertIn("weir-tests: passed=1 failed=0", output)

    def test_a_name_used_twice_fails_the_run(self):
        status, output = self.run_cases("shares its name")
        self.assertEqual(status, 1, output)
        self.assertIn("the name is taken by", output)
        self.assertIn("weir-tests: passed=1 failed=1", output)

    def test_a_whole_run_is_summed_up_with_an_end(self):
        lines = self.summary_of("asserts and passes")
        self.assertEqual([line[0] for line in lines], ["begin", "passed", "end"])
        self.assertRegex(lines[1][1], r"selftest_reporter\.cpp:\d+$")
        self.assertEqual(lines[1][2], "selftest: asserts and passes")

    def test_a_crash_is_summed_up_without_an_end(self):
        words = [line[0] for line in self.summary_of("crashes")]
        self.assertEqual(words[0], "begin")
        self.assertNotIn("passed", words)
        self.assertNotIn("end", words)

    def test_an_exit_in_a_case_is_summed_up_without_an_end(self):
        self.assertEqual([line[0] for line in self.summary_of("leaves without a word")], ["begin"])


class Sums(unittest.TestCase):
    """The functions of ./dev that add up, called with summaries made by hand."""

    PASSED = "begin\ta.cpp:1\ts: one\npassed\ta.cpp:1\ts: one\n"

    def add_up(self, summary: str, status: int) -> tuple[int, str]:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write(summary)
            file.flush()
            result = subprocess.run(
                ["bash", "-c", f"source ./dev; account program {status} {file.name}; "
                 f"report {file.name}"],
                cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
            return result.returncode, result.stdout + result.stderr

    def test_a_whole_run_adds_up(self):
        self.assertEqual(self.add_up(self.PASSED + "end\n", 0), (0, "1 passed, 0 failed\n"))

    def test_a_case_counts_once_and_failed_if_it_ever_failed(self):
        again = self.PASSED.replace("passed", "failed")
        status, output = self.add_up(self.PASSED + again + self.PASSED + "end\n", 1)
        self.assertEqual(status, 1)
        self.assertTrue(output.endswith("\n0 passed, 1 failed\n"), output)
        self.assertIn("FAILED  s: one  (a.cpp:1)", output)

    def test_a_case_that_never_ended_has_failed(self):
        status, output = self.add_up(self.PASSED + "begin\ta.cpp:2\ts: two\n", 139)
        self.assertEqual(status, 1)
        self.assertIn("FAILED  s: two  (a.cpp:2)", output)
        self.assertTrue(output.endswith("\n1 passed, 1 failed\n"), output)

    def test_a_program_that_never_began_has_failed(self):
        status, output = self.add_up("", 127)
        self.assertEqual(status, 1)
        self.assertTrue(output.endswith("\n0 passed, 1 failed\n"), output)

    def test_a_bad_exit_after_good_cases_has_failed(self):
        status, output = self.add_up(self.PASSED + "end\n", 23)
        self.assertEqual(status, 1)
        self.assertIn("exited with status 23", output)
        self.assertTrue(output.endswith("\n1 passed, 1 failed\n"), output)

    def test_no_case_at_all_is_a_failure(self):
        self.assertEqual(self.add_up("end\n", 0), (1, "no test ran\n0 passed, 0 failed\n"))
