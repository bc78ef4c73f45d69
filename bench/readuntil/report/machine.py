# SPDX-License-Identifier: MIT
"""On what, and with what, a run was made."""

import datetime
import json
import pathlib
import platform
import re
import shlex
import subprocess


def output(*command: str, cwd: pathlib.Path | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def processor() -> str:
    found = re.search(r"model name\s*: (.+)", pathlib.Path("/proc/cpuinfo").read_text())
    caches = output("getconf", "LEVEL1_DCACHE_SIZE"), output("getconf", "LEVEL2_CACHE_SIZE")
    sizes = ", ".join(f"L{i} {int(size) // 1024} KiB" for i, size in enumerate(caches, 1)
                      if size.isdigit() and int(size))
    name = found[1] if found else platform.machine()
    return f"{name}, {len(os_cpus())} cores" + (f", {sizes}" if sizes else "")


def os_cpus() -> list[str]:
    return re.findall(r"^processor\s*:", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)


def compiler_and_flags(build: pathlib.Path) -> tuple[str, str]:
    entries = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    command = next(entry["command"] for entry in entries
                   if entry["file"].endswith("streams/reader_state.cpp"))
    words = [word for word in shlex.split(command) if "ccache" not in word]
    flags = " ".join(word for word in words if re.match(r"-(O|g|std=|m|f)", word) and
                     not word.startswith("-fdiag"))
    return output(words[0], "--version").splitlines()[0], flags


def commit(root: pathlib.Path) -> str:
    short = output("git", "rev-parse", "--short=10", "HEAD", cwd=root)
    changed = output("git", "status", "--porcelain", "--untracked-files=no", cwd=root)
    return (short or "unknown") + (" and changes" if changed else "")


def describe(root: pathlib.Path, build: pathlib.Path, said: dict[str, str],
             rounds: int) -> dict[str, str]:
    """`said`: what the benchmark tells of itself."""
    compiler, flags = compiler_and_flags(build)
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(root),
        "processor": processor(),
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": compiler,
        "flags": flags,
        "libc": " ".join(platform.libc_ver()),
        **said,
        "rounds": str(rounds),
    }


def as_text(machine: dict[str, str]) -> list[str]:
    return [f"{name:12}{value}" for name, value in machine.items()]


def in_one_line(machine: dict[str, str]) -> str:
    plain = ("processor", "kernel", "compiler", "flags", "libc")
    named = ("Asio", "libevent", "CPython", "SIMD", "commit", "date", "rounds")
    return "; ".join([machine[name] for name in plain if name in machine] +
                     [f"{name} {machine[name]}" for name in named if name in machine])
