# SPDX-License-Identifier: MIT
"""The tutorial keeps its promises: its programs, its exercises, its pages, and ./dev learn."""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import tutorial_pages as pages  # noqa: E402
import steps  # noqa: E402
from program import TUTORIAL, sources  # noqa: E402


PASSING = [claim for claim in steps.claims() if not claim.hint]


class Programs(unittest.TestCase):
    """One test for each program that passes. `./dev learn check --all`, which is a stage of
    `./dev ci`, shows besides that what is wrong fails with its hint.
    """

    running: dict[str, concurrent.futures.Future] = {}

    @classmethod
    def setUpClass(cls):
        # The programs mostly wait: more of them at a time than there are cores.
        pool = concurrent.futures.ThreadPoolExecutor(8 * (os.cpu_count() or 1))
        for claim in PASSING:
            cls.running[claim.in_words()] = pool.submit(claim.violation, [])
        pool.shutdown(wait=False)


def add_test(claim: steps.Claim) -> None:
    def test(self):
        self.assertEqual(self.running[claim.in_words()].result(), "")

    name = "test_" + claim.in_words().replace(":", "").replace(" ", "_")
    setattr(Programs, name, test)


for each in PASSING:
    add_test(each)


class Exercises(unittest.TestCase):
    def test_there_are_nine_steps(self):
        self.assertEqual([step.number for step in steps.all_steps()], list(range(1, 10)))

    def test_each_has_a_start_a_solution_and_two_wrong_solutions(self):
        for step in steps.all_steps():
            variants = step.variants().keys()
            self.assertTrue({"start", "solution"} <= variants, step.title)
            self.assertGreaterEqual(sum(name.startswith("wrong_") for name in variants), 2,
                                    step.title)

    def test_a_wrong_solution_says_that_it_is_wrong_on_purpose(self):
        for step in steps.all_steps():
            for name, folder in step.variants().items():
                texts = [path.read_text(encoding="utf-8") for path in sources(folder).values()]
                marked = any("// Wrong on purpose: " in text for text in texts)
                self.assertEqual(marked, name.startswith("wrong_"), folder)


class Pages(unittest.TestCase):
    def test_every_step_has_a_page(self):
        for step in steps.all_steps():
            self.assertTrue((step.folder / "README.md").is_file(), step.title)

    def test_each_page_opens_with_three_questions_and_ends_with_exercises(self):
        for step in steps.all_steps():
            self.assertEqual(pages.missing_parts(step.folder / "README.md"), [], step.title)

    def test_each_page_names_the_files_that_differ_from_the_step_before(self):
        before = {}
        for step in steps.all_steps():
            texts = {name: path.read_text(encoding="utf-8") for name, path in step.files().items()}
            differ = {name for name, text in texts.items() if before.get(name) != text}
            self.assertEqual(pages.files_named_first(step.folder / "README.md"), differ, step.title)
            before = texts

    def test_both_sides_of_the_table_exist(self):
        rows, missing = pages.table_of_names(TUTORIAL / "README.md")
        self.assertGreater(rows, 20)
        self.assertEqual(missing, [])


class Learn(unittest.TestCase):
    """The command, as a learner uses it."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def learn(self, *arguments):
        return subprocess.run([sys.executable, HERE / "learn.py", *arguments], text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL,
                              env={**os.environ, "LEARN_DIR": str(self.folder)})

    def solve(self, number: int) -> None:
        step = steps.all_steps()[number - 1]
        for name, path in sources(step.variants()["solution"]).items():
            shutil.copyfile(path, self.folder / step.folder.name / name)

    def test_an_exercise_goes_from_its_start_to_its_solution(self):
        self.assertEqual(self.learn("start", "1").returncode, 0)
        begun = self.learn("check", "1")
        self.assertEqual(begun.returncode, 1)
        self.assertIn("FAILED at check 1", begun.stdout)
        self.assertIn("recv()", begun.stdout)
        self.solve(1)
        done = self.learn("check")
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]),
                         (0, "1 passed, 0 failed"))

    def test_check_runs_the_earlier_exercises_again(self):
        for number in (1, 2):
            self.learn("start", str(number))
        self.solve(2)
        result = self.learn("check", "2")
        self.assertEqual((result.returncode, result.stdout.splitlines()[-1]),
                         (1, "1 passed, 1 failed"))
        self.assertIn("step 1, blocking echo: FAILED", result.stdout)

    def test_start_does_not_overwrite_what_was_begun(self):
        self.learn("start", "1")
        again = self.learn("start", "1")
        self.assertEqual(again.returncode, 1)
        self.assertIn("is there already", again.stderr)

    def test_what_does_not_compile_is_shown_with_the_words_of_the_compiler(self):
        self.learn("start", "1")
        (self.folder / "01_blocking_echo" / "echo.cpp").write_text("int main() { retrun 0; }\n")
        result = self.learn("check", "1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("retrun", result.stdout)

    def test_a_program_of_ones_own_is_put_through_the_checks_of_a_step(self):
        own = steps.all_steps()[1].folder
        result = self.learn("check", "2", "--own", str(own))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        result = self.learn("check", "2", "--own", str(steps.all_steps()[0].folder))
        self.assertEqual(result.returncode, 1)
        self.assertIn("in which call", result.stdout)

    def test_an_unknown_step_is_refused(self):
        result = self.learn("start", "10")
        self.assertEqual(result.returncode, 1)
        self.assertIn("there is no step 10", result.stderr)

    def test_diff_shows_what_a_step_changes(self):
        result = self.learn("diff", "2")
        self.assertEqual(result.returncode, 0)
        self.assertIn("+++ 02_poll/echo.cpp", result.stdout)


if __name__ == "__main__":
    unittest.main()
