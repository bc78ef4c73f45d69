# SPDX-License-Identifier: MIT
"""What ./dev sim --mutants plants can be planted."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import sim_mutants  # noqa: E402
from planting import planted_file  # noqa: E402


class Mutants(unittest.TestCase):
    def test_every_planted_bug_still_applies_to_the_source(self):
        for mutant in (*sim_mutants.MUTANTS, sim_mutants.CHAT_MUTANT):
            with self.subTest(mutant.name):
                planted_file(mutant.patch)


if __name__ == "__main__":
    unittest.main()
