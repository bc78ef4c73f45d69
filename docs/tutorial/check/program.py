# SPDX-License-Identifier: MIT
"""Where the programs of the tutorial are, and how they are compiled."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import threading

TUTORIAL = pathlib.Path(__file__).resolve().parents[1]
ROOT = TUTORIAL.parents[1]
BUILD = pathlib.Path(os.environ.get("LEARN_BUILD_DIR", ROOT / "build" / "tutorial"))
FLAGS = ["-std=c++20", "-O0", "-Wall", "-Wextra"]
SOURCES = ("*.cpp", "*.hpp")
COMPILERS = threading.Semaphore(os.cpu_count() or 1)  # That run at the same time.


class CompileError(Exception):
    """The text is what the compiler wrote."""


def compiler() -> str:
    chosen = os.environ.get("CXX")
    if chosen:
        return chosen
    for name in ("g++", "clang++", "clang++-19"):
        if shutil.which(name):
            return name
    raise SystemExit("learn: no C++ compiler found: please install g++")


def sources(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """The C++ files of a folder, by name."""
    return {path.name: path for pattern in SOURCES for path in sorted(folder.glob(pattern))}


def compile_program(files: dict[str, pathlib.Path], flags: list[str]) -> pathlib.Path:
    """Compiles the one .cpp among `files`; nothing is done if that was done before.

    The files come from several folders (an exercise has only what differs from its step), so they
    are put side by side first.
    """
    command = [compiler(), *FLAGS, *flags]
    state = hashlib.sha256(repr(command).encode())
    for name in sorted(files):
        state.update(name.encode() + b"\0" + files[name].read_bytes() + b"\0")
    folder = BUILD / state.hexdigest()[:16]
    program = folder / "program"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in files.items():
        shutil.copyfile(path, folder / name)
    units = sorted(name for name in files if name.endswith(".cpp"))
    with COMPILERS:
        made = subprocess.run([*command, *units, "-o", "program.new"], cwd=folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if made.returncode != 0:
        raise CompileError(made.stderr)
    if made.stderr:
        print(made.stderr, end="")
    (folder / "program.new").rename(program)
    return program
