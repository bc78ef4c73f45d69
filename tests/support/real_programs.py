# SPDX-License-Identifier: MIT
"""For tests with programs of others: clients, compilers, build systems."""

import shutil
import unittest


def real(program: str, package: str):
    """Left out, with a line that says so, where the program is missing."""
    missing = f"not installed: {program} (apt package {package}; ./dev setup --all)"
    return unittest.skipUnless(shutil.which(program), missing)
