#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the test_*.py scripts of some folders and writes the summary that ./dev test adds up.

The lines are those of main.cpp: begin, passed or failed, and end.
"""

import argparse
import fnmatch
import io
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Reporter(unittest.TextTestResult):
    """Writes one line before and one after each test; prints failures when all have run."""

    summary = None

    def _write(self, word: str, test: unittest.TestCase | None = None) -> None:
        if self.summary:
            fields = [word]
            if test:
                module, case, method = test.id().rsplit(".", 2)
                fields += [f"{module}.py:{case}.{method}", name_of(test)]
            print("\t".join(fields), file=self.summary, flush=True)

    def startTest(self, test):
        super().startTest(test)
        self._write("begin", test)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._write("passed", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._write("failed", test)

    def addError(self, test, err):
        super().addError(test, err)
        if isinstance(test, unittest.TestCase):
            self._write("failed", test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self._write("failed", test)

    def addSkip(self, test, reason):
        """A test that did not run has shown nothing. Only a program of others may be missing."""
        if reason.startswith("not installed: "):
            print(f"SKIPPED  {name_of(test)}: {reason}", flush=True)
            return
        self.addFailure(test, (AssertionError, AssertionError(f"skipped: {reason}"), None))

    def stopTestRun(self):
        super().stopTestRun()
        self._write("end")


def name_of(test: unittest.TestCase) -> str:
    """`module: what the method is called, in words`, to look like a doctest case."""
    module, _, method = test.id().rsplit(".", 2)
    return f"{module}: {method.removeprefix('test_').replace('_', ' ')}"


def cases_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases_of(item)
        else:
            yield item


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weir-summary", type=pathlib.Path)
    parser.add_argument("--test-case", default="*")
    parser.add_argument("--test-suite", default="*")
    parser.add_argument("folders", nargs="+")
    arguments = parser.parse_args()

    chosen = unittest.TestSuite()
    for folder in filter(lambda name: (ROOT / name).is_dir(), arguments.folders):
        found = unittest.TestLoader().discover(str(ROOT / folder), "test_*.py")
        for case in cases_of(found):
            name = name_of(case)
            if fnmatch.fnmatchcase(name.split(": ", 1)[1], arguments.test_case) and \
                    fnmatch.fnmatchcase(name.split(": ", 1)[0], arguments.test_suite):
                chosen.addTest(case)
    if arguments.weir_summary:
        Reporter.summary = arguments.weir_summary.open("w", encoding="utf-8")
    output = io.StringIO()
    result = unittest.TextTestRunner(output, resultclass=Reporter, verbosity=0).run(chosen)
    if not result.wasSuccessful():
        print(output.getvalue())
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
