#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/examples/chat_sim finds nothing, and docs/simulation.md names every fault."""

import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", ROOT / "build/gcc"))


class ChatSim(unittest.TestCase):
    def test_nothing_is_wrong_in_three_hundred_evenings(self):
        done = subprocess.run([str(BUILD / "docs/examples/chat_sim"), "1", "300"],
                              capture_output=True, text=True)
        self.assertEqual(done.stdout, "300 seeds, nothing wrong\n")


class Page(unittest.TestCase):
    def test_every_fault_is_on_the_page(self):
        page = (ROOT / "docs/simulation.md").read_text(encoding="utf-8")
        options = (ROOT / "reactor/sim/sim_options.hpp").read_text(encoding="utf-8")
        body = re.search(r"enum class SimFault.*?\{(.*?)\};", options, re.DOTALL)[1]
        faults = re.findall(r"^  (\w+),", body, re.MULTILINE)
        self.assertEqual(len(faults), 25)
        for fault in faults:
            self.assertIn(f"`{fault}`", page)


if __name__ == "__main__":
    unittest.main()
