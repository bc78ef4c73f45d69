# SPDX-License-Identifier: MIT
"""What the tests of the package share: one installation, and a program of a user to build."""

import atexit
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/lint"), str(ROOT / "tests/support")]

import md  # noqa: E402
from real_programs import real  # noqa: E402, F401  (for the tests, with the rest)

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


def commands(page: str, test: str) -> list[str]:
    """Those that the page has for this file."""
    text = (ROOT / "docs/guide" / page).read_text(encoding="utf-8")
    found = [line for fence in md.fences(text) for line in fence.body
             if (fence.kind, fence.target) == ("run", f"tests/package/{test}.py")]
    assert found, f"{page} has no command for {test}"
    return found


@functools.cache
def temporary() -> pathlib.Path:
    folder = tempfile.TemporaryDirectory(prefix="weir-package-")
    atexit.register(folder.cleanup)
    return pathlib.Path(folder.name)


def new_folder(name: str) -> pathlib.Path:
    folder = temporary() / name
    folder.mkdir(parents=True, exist_ok=True)
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
        facts = self.libraries / "pkgconfig/weir.pc"  # This alone says where it was installed.
        text = facts.read_text(encoding="utf-8")
        moved = re.sub(r"^prefix=.*", f"prefix={prefix}", text, count=1, flags=re.MULTILINE)
        facts.write_text(moved, encoding="utf-8")

    def copy(self, name: str, without: str) -> "Installation":
        """As if it had been built with another -Ddefault_library."""
        folder = temporary() / name
        shutil.copytree(self.prefix, folder, symlinks=True)
        for library in (folder / build_option("libdir")).glob(without):
            library.unlink()
        return Installation(folder)

    def environment(self) -> dict[str, str]:
        """In which pkg-config finds this one, and the loader its library."""
        return {**os.environ, "PKG_CONFIG_LIBDIR": str(self.libraries / "pkgconfig"),
                "LD_LIBRARY_PATH": str(self.libraries)}

    def ask_pkg_config(self, *words: str) -> list[str]:
        return run("pkg-config", *words, "weir", env=self.environment()).split()


@functools.cache
def both() -> Installation:
    """Of the build that is tested; it has the shared and the static library."""
    install = commands("using_weir.md", "installed")[-1].replace("-C build", f"-C '{BUILD}'")
    run("bash", "-c", f"{install} --no-rebuild --quiet --destdir '{new_folder('destdir')}'")
    prefix = pathlib.Path(build_option("prefix"))
    shutil.move(temporary() / "destdir" / prefix.relative_to("/"), temporary() / "moved")
    return Installation(temporary() / "moved")


@functools.cache
def static() -> Installation:
    return both().copy("static", without="libweir.so*")


@functools.cache
def shared() -> Installation:
    return both().copy("shared", without="libweir.a")
