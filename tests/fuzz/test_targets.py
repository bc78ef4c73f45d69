# SPDX-License-Identifier: MIT
"""The targets of the fuzzer are listed in four places; the corpora are small."""

import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import fuzz  # noqa: E402
import fuzz_mutants  # noqa: E402
from planting import planted_file  # noqa: E402


class Targets(unittest.TestCase):
    def test_every_list_of_targets_has_the_same(self):
        targets = re.findall(r'\{"(\w+)", \w+\}', (HERE / "targets.hpp").read_text())
        replayed = re.findall(r'replay\("(\w+)"\)', (HERE / "replay.cpp").read_text())
        self.assertGreaterEqual(len(targets), 7)
        self.assertEqual(list(fuzz.MAX_BYTES), targets)
        self.assertEqual(replayed, targets)

    def test_every_target_has_a_corpus_and_a_planted_bug(self):
        self.assertEqual({path.name for path in fuzz.CORPUS.iterdir()}, set(fuzz.MAX_BYTES))
        self.assertEqual({target for target, *_ in fuzz_mutants.MUTANTS}, set(fuzz.MAX_BYTES))

    def test_every_planted_bug_still_applies_to_the_source(self):
        for _, name, patch in fuzz_mutants.MUTANTS:
            with self.subTest(name):
                planted_file(patch)

    def test_the_corpora_are_small(self):
        size = sum(path.stat().st_size for path in fuzz.CORPUS.rglob("*") if path.is_file())
        self.assertLess(size, 200 * 1024)


if __name__ == "__main__":
    unittest.main()
