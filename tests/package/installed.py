# SPDX-License-Identifier: MIT
"""What the tests of the package share: one installation, and a program of a user to build."""

import atexit
import functools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD_DIR", ROOT / "build/gcc")).resolve()
CONSUMER = ROOT / "tests/package/consumer"
SAYS = "hello world\n0 more bytes\nOSError\n"  # app.cpp.
SECONDS = 600  # For a compiler on a machine that others use, too.


def run(*command, **options) -> str:
    """What it writes. What it complains about, if it fails, is the failure of the test."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                            timeout=SECONDS, check=False, **options)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {result.returncode}\n"
                             f"{result.stdout[-3000:]}{result.stderr[-3000:]}")
    return result.stdout


def real(program: str, package: str):
    """For tests with a real tool: left out, with a line that says so, where it is missing."""
    missing = f"not installed: {program} (apt package {package}; ./dev setup --all)"
    return unittest.skipUnless(shutil.which(program), missing)


@functools.cache
def temporary() -> pathlib.Path:
    folder = tempfile.TemporaryDirectory(prefix="weir-package-")
    atexit.register(folder.cleanup)
    return pathlib.Path(folder.name)


def new_folder(name: str) -> pathlib.Path:
    folder = temporary() / name
    folder.mkdir(parents=True)
    return folder


def build_option(name: str) -> str:
    options = json.loads((BUILD / "meson-info/intro-buildoptions.json").read_text("utf-8"))
    return next(option["value"] for option in options if option["name"] == name)


def version() -> str:
    return json.loads((BUILD / "meson-info/intro-projectinfo.json").read_text("utf-8"))["version"]


class Installation:
    """What `meson install` puts below a prefix; that was /usr/local, say, and is now `prefix`."""

    def __init__(self, prefix: pathlib.Path):
        self.prefix = prefix
        self.headers = prefix / build_option("includedir")
        self.libraries = prefix / build_option("libdir")
        self.pkg_config = self.libraries / "pkgconfig"
        self.cmake = self.libraries / "cmake/weir"

    def copy(self, name: str, without: str) -> "Installation":
        """As if it had been built with another -Ddefault_library."""
        folder = temporary() / name
        shutil.copytree(self.prefix, folder, symlinks=True)
        for library in (folder / build_option("libdir")).glob(without):
            library.unlink()
        return Installation(folder)

    def ask_pkg_config(self, *words: str) -> list[str]:
        environment = {**os.environ, "PKG_CONFIG_LIBDIR": str(self.pkg_config)}
        return run("pkg-config", f"--define-variable=prefix={self.prefix}", *words, "weir",
                   env=environment).split()


@functools.cache
def both() -> Installation:
    """Of the build that is tested; it has the shared and the static library."""
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir",
        new_folder("destdir"))
    prefix = pathlib.Path(build_option("prefix"))
    shutil.move(temporary() / "destdir" / prefix.relative_to("/"), temporary() / "moved")
    return Installation(temporary() / "moved")


@functools.cache
def static() -> Installation:
    return both().copy("static", without="libweir.so*")


@functools.cache
def shared() -> Installation:
    return both().copy("shared", without="libweir.a")
