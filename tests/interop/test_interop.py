# SPDX-License-Identifier: MIT
"""A share of ./dev interop, and whether it would see what it is to see."""

import collections
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import generator  # noqa: E402
import interop  # noqa: E402
import mutants  # noqa: E402
import planting  # noqa: E402
from compare import HERE, MODEL, Pair, Runner, judge  # noqa: E402

BUILD = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", HERE.parents[1] / "build/gcc"))
WEIR = str(BUILD / "tests/interop_runner")
SEED = "a share"


def cpython(*options: str) -> Runner:
    return Runner("CPython", [sys.executable, str(HERE / "cpython_runner.py"), *options])


def make_pair(ours=None) -> Pair:
    return Pair(cpython(), ours or Runner("weir", [WEIR]), sys.version_info[:2])


class Share(unittest.TestCase):
    def compare(self, streams, make=make_pair):
        comparison = interop.Comparison(make, jobs=2)
        comparison.run(streams)
        self.assertEqual(comparison.failures, [])
        return comparison

    def test_random_scripts_end_as_in_asyncio(self):
        comparison = self.compare(itertools.islice(interop.random_streams(SEED), 12))
        self.assertEqual(comparison.scripts, 12 * interop.BATCH)
        self.assertGreater(len(comparison.struck), 4, "the differences are not reached")

    def test_all_scripts_of_three_operations_end_as_in_asyncio(self):
        comparison = self.compare(
            generator.exhaustive(limit, first, length=3)
            for limit in generator.EXHAUSTIVE_LIMITS for first in generator.EXHAUSTIVE)
        self.assertEqual(comparison.scripts, 3 * 10 ** 3)

    def test_the_model_without_differences_is_this_cpython(self):
        comparison = self.compare(
            itertools.islice(interop.random_streams(SEED), 4),
            lambda: make_pair(cpython(MODEL)))
        self.assertEqual(comparison.differing, 0)


class Generator(unittest.TestCase):
    def test_a_seed_gives_the_same_scripts(self):
        self.assertEqual(generator.Generator("7").batch(50), generator.Generator("7").batch(50))
        self.assertNotEqual(generator.Generator("7").batch(50), generator.Generator("8").batch(50))

    def test_random_scripts_have_every_operation_and_limit(self):
        seen = collections.Counter()
        for script in generator.Generator(SEED).batch(3000):
            seen.update(line.replace(" lent", "").replace(" &", "") for line in script)
        wanted = {"feed a", "feed b", "feed ab", "eof", "exception", "exception incomplete",
                  "read 1", "read -1", "readexactly 2", "readuntil a", "readuntil ab",
                  "readuntil ab|b", "readline", "cancel", "cancel last"}
        wanted |= {f"limit {limit}" for limit in (1, 2, 3, 4, 5, 16, 65536)}
        self.assertEqual({line for line in wanted if seen[line] < 10}, set())

    def test_ten_operations_are_combined(self):
        self.assertEqual(len(set(generator.EXHAUSTIVE)), 10)
        self.assertEqual(generator.EXHAUSTIVE_LENGTH, 5)


class Judge(unittest.TestCase):
    script = ["limit 4", "read 1", "readexactly 3 &", "feed a", "feed abb"]

    def setUp(self):
        pair = make_pair()
        (self.theirs,), (self.ours,) = pair.traces([self.script])
        pair.stop()
        self.version = sys.version_info[:2]

    def test_a_difference_that_struck_is_allowed(self):
        verdict = judge(self.script, self.theirs, self.ours, self.version)
        self.assertEqual((verdict.problem, verdict.struck), ("", {"lost-waiter"}))

    def test_a_difference_that_struck_excuses_no_other_line(self):
        for at, line in enumerate(self.ours):
            ours = self.ours[:at] + [line + " and more"] + self.ours[at + 1:]
            self.assertNotEqual(judge(self.script, self.theirs, ours, self.version).problem, "")

    def test_a_cpython_that_the_model_does_not_know_is_a_problem(self):
        theirs = self.theirs[:-1] + ["something else"]
        self.assertNotEqual(judge(self.script, theirs, self.ours, self.version).problem, "")


class Failing(unittest.TestCase):
    def run_interop(self, runner: str):
        return subprocess.run(
            [sys.executable, str(HERE / "interop.py"), "--runner", runner, "--seconds", "5",
             "--tier", "random", "--no-validation", "--failures", "1", "--seed", "1",
             "--python", sys.executable],
            capture_output=True, text=True, timeout=120)

    def script(self, text: str) -> str:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "runner"
        path.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(HERE)!r})\n"
                        f"import cpython_runner\n{text}\ncpython_runner.main()\n")
        path.chmod(0o755)
        return str(path)

    def test_a_reader_that_differs_is_found_and_the_script_made_small(self):
        done = self.run_interop(self.script("cpython_runner.Transport.pause_reading = "
                                            "lambda self: setattr(self, 'flow', 'X')"))
        self.assertEqual(done.returncode, 1, done.stderr)
        shown = done.stdout.partition("DIFFERENT ")[2].partition("DIFFERENT ")[0]
        operations = [line for line in shown.splitlines() if line[:2] == "  " and line[2] != " "]
        self.assertIn("flow=X", shown)
        self.assertLessEqual(len(operations), 4, shown)

    def test_a_runner_that_dies_is_a_difference(self):
        done = self.run_interop(self.script(
            "cpython_runner.asyncio.StreamReader.feed_eof = lambda self: sys.exit(3)"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("weir ended with status 3", done.stdout)

    def test_a_script_is_made_as_small_as_it_fails(self):
        class Broken(Pair):
            def problem_of(self, script):
                feeds = [line for line in script if line.startswith("feed ")]
                return "yes" if "eof" in script and any("b" in line for line in feeds) else ""

        script = ["limit 3 lent", "feed aaba &", "read 1", "cancel", "eof &", "feed a", "eof"]
        pair = Broken(None, None, (3, 13))
        self.assertEqual(pair.shrink(script), ["limit 3", "feed ba", "eof"])


class Mutants(unittest.TestCase):
    def test_every_planted_bug_still_applies_to_the_source(self):
        for mutant in mutants.MUTANTS:
            planting.planted_file(mutant.patch)


if __name__ == "__main__":
    unittest.main()
