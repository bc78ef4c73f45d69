# SPDX-License-Identifier: MIT
"""A program that CMake builds, with find_package(weir)."""

import shutil
import subprocess
import unittest

import installed
from installed import CONSUMER, SAYS, commands, new_folder, real, run


def configure(folder, of: installed.Installation, *options: str) -> None:
    run("cmake", "-S", CONSUMER, "-B", folder, f"-DCMAKE_PREFIX_PATH={of.prefix}",
        "-DCMAKE_CXX_COMPILER=g++", *options)


@real("cmake", "cmake")
class FindPackage(unittest.TestCase):
    """None of the installations stands where it was made: each has been moved."""

    def test_the_command_of_the_page(self):
        folder = new_folder("cmake_page")
        for name in ("app.cpp", "CMakeLists.txt"):
            shutil.copy(CONSUMER / name, folder)
        command = commands("using_weir.md", "test_cmake")[0]
        run("bash", "-c", command.replace("$HOME/weir", f"'{installed.both().prefix}'"), cwd=folder)
        self.assertEqual(run(folder / "build/app"), SAYS)

    def build(self, name: str, of: installed.Installation, *options: str) -> str:
        """Returns what the loader says of the program, which has said what it should."""
        folder = new_folder(name)
        configure(folder, of, *options)
        run("cmake", "--build", folder)
        self.assertEqual(run(folder / "app"), SAYS)
        return run("ldd", folder / "app")

    def test_a_program_with_both_takes_the_shared_one(self):
        self.assertIn(str(installed.both().libraries), self.build("cmake", installed.both()))

    def test_a_program_may_ask_for_the_static_one_of_both(self):
        said = self.build("cmake_static", installed.both(), "-Dweir_USE_STATIC_LIBS=ON")
        self.assertNotIn("libweir", said)

    def test_an_installation_with_one_of_them_has_that_one(self):
        for name, of in ("only_shared", installed.shared()), ("only_static", installed.static()):
            configure(new_folder(name), of)

    def test_another_minor_version_is_refused(self):
        for wanted, fits in {"0.1": True, "0.1.0...0.3": True, "0.0": False, "0.2": False,
                             "0.1.99": False, "1": False}.items():
            script = new_folder(f"version_{wanted}") / "CMakeLists.txt"
            script.write_text("cmake_minimum_required(VERSION 3.16)\nproject(x CXX)\n"
                              f"find_package(weir {wanted} REQUIRED)\n", encoding="utf-8")
            result = subprocess.run(
                ["cmake", "-S", script.parent, "-B", script.parent / "build",
                 f"-DCMAKE_PREFIX_PATH={installed.both().prefix}"],
                capture_output=True, text=True, timeout=installed.SECONDS, check=False)
            self.assertEqual(result.returncode == 0, fits, f"{wanted}\n{result.stderr}")


if __name__ == "__main__":
    unittest.main()
