# SPDX-License-Identifier: MIT
"""A small share of ./dev storms: the same claims, over fewer connections."""

import contextlib
import io
import os
import unittest
from unittest import mock

import storms
from storm import Skipped


class Storms(unittest.TestCase):
    def test_a_crowd_that_is_killed_is_lost_each_once(self):
        said = storms.connections(1200, seconds=None)
        self.assertRegex(said, r"killed at once: 1200 lost, each once")

    def test_a_storm_of_resets_leaves_nothing_behind(self):
        said = storms.resets(per_second=1000, seconds=1, keep_pace=False)
        self.assertRegex(said, r"^1000 connections reset .* each once")


class Command(unittest.TestCase):
    def run_main(self, *arguments):
        """What the command says and how it ends."""
        out = io.StringIO()
        with mock.patch("sys.argv", ["storms.py", *arguments]), contextlib.redirect_stdout(out):
            code = storms.main()
        return code, out.getvalue().splitlines()

    def test_what_is_not_permitted_is_skipped_aloud_and_is_no_success(self):
        with mock.patch.object(os, "geteuid", return_value=1000):
            code, lines = self.run_main("loss")
        self.assertEqual(
            (code, lines),
            (1, ["loss: SKIPPED: only root may make network namespaces", "0 passed, 0 failed"]),
        )

    def test_too_few_descriptors_are_a_reason_to_skip(self):
        with mock.patch("resource.getrlimit", return_value=(1024, 4096)):
            with self.assertRaisesRegex(Skipped, "4096 descriptors here, 19100 are needed"):
                storms.connections()

    def test_a_storm_that_fails_fails_the_command(self):
        def broken():
            raise storms.Failure("one was lost twice")

        with mock.patch.dict(storms.STORMS, {"resets": broken, "loss": lambda: "intact"}):
            code, lines = self.run_main("resets", "loss")
        self.assertEqual(
            (code, lines),
            (1, ["resets: FAILED: one was lost twice", "loss: intact", "1 passed, 1 failed"]),
        )


if __name__ == "__main__":
    unittest.main()
