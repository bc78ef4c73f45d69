# SPDX-License-Identifier: MIT
"""A program that Meson builds, with weir below its subprojects/."""

import shutil
import unittest

from installed import CONSUMER, ROOT, SAYS, new_folder, run


class Subproject(unittest.TestCase):
    def test_a_program_with_weir_as_a_subproject(self):
        folder = new_folder("subproject")
        for name in ("app.cpp", "meson.build"):
            shutil.copy(CONSUMER / name, folder)
        (folder / "subprojects").mkdir()
        (folder / "subprojects/weir").symlink_to(ROOT)
        # One source for each of weir's three libraries, and no optimiser: it takes half a minute
        # of processor time otherwise.
        run("meson", "setup", folder / "build", folder, "-Doptimization=0", "-Ddebug=false",
            "--unity=on", "--unity-size=1000")
        run("ninja", "-C", folder / "build", "app")
        self.assertEqual(run(folder / "build/app"), SAYS)


if __name__ == "__main__":
    unittest.main()
