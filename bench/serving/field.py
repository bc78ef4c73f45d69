# SPDX-License-Identifier: MIT
"""Who takes part in the serving benchmark, and in which cells."""

import dataclasses
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "readuntil" / "report"))  # machine, svg, wanted
BUILD = HERE.parents[1] / "build"
PROGRAMS = BUILD / "bench" / "bench" / "serving"
RESP_KV = BUILD / "gcc" / "docs" / "examples" / "resp_kv"
OUT = BUILD / "serving"
CARGO_SOURCES = pathlib.Path("/usr/share/cargo/registry")  # Where Debian puts librust-*-dev.


USUAL_BUFFER = 64 * 1024  # Of servers whose author has to own one.
LARGE_BUFFER = 2**18
LARGE_ROUND = 64 * 2**20  # Bytes that are on their way at a time.


@dataclasses.dataclass(frozen=True)
class Contestant:
    name: str
    kind: str  # echo or lines
    command: tuple[str, ...]
    takes_buffer: bool = False  # The size of its receive buffer, as a last argument.

    def command_for(self, request_bytes: int) -> tuple[str, ...]:
        """As its author would who knew the requests: none takes several reads."""
        if self.takes_buffer and request_bytes > USUAL_BUFFER:
            return (*self.command, str(LARGE_BUFFER))
        return self.command


@dataclasses.dataclass(frozen=True)
class Cell:
    kind: str
    bytes: int
    connections: int
    depth: int
    quick: bool = False
    rounds: int = 3

    def __str__(self) -> str:
        return f"{self.kind} {size(self.bytes)} x {self.connections} x {self.depth}"

    @property
    def stretch(self) -> int:
        """How many times longer than others it runs: each of its rounds of requests takes long."""
        return 2 if self.bytes * self.connections * self.depth >= LARGE_ROUND else 1


def size(count: int) -> str:
    return f"{count // 1024} KiB" if count >= 1024 else f"{count} B"


def cells() -> list[Cell]:
    """The first is where latencies are compared: it gets more rounds."""
    found = [Cell("echo", 64, 64, 1, quick=True, rounds=5), Cell("echo", 64, 1, 1)]
    for count in (64, 1024, 16 * 1024, 100 * 1024):
        for connections in (64, 1000):
            for depth in (1, 16):
                cell = Cell("echo", count, connections, depth, quick=(count, depth) == (1024, 1))
                same = (found[0].bytes, found[0].connections, found[0].depth)
                too_much = (count, connections, depth) == (100 * 1024, 1000, 16)
                if (count, connections, depth) != same and not too_much:
                    found.append(cell)
    for depth in (1, 16, 128):
        found.append(Cell("lines", 64, 64, depth, quick=depth > 1))
    found.append(Cell("lines", 1024, 64, 128))
    return found


# ---- Who: the floors and weir

FLOORS = {"echo": "floor", "lines": "floor, batched"}
WEIR_ECHO = ("weir protocol", "weir buffered", "weir streams, views", "weir streams, owned")
WEIR_LINES = ("weir lines, views", "weir lines, owned")


def own(programs: pathlib.Path) -> list[Contestant]:
    def program(name, kind, file, *arguments):
        return Contestant(name, kind, (str(programs / file), *arguments))

    return [
        program("floor", "echo", "raw_echo"),
        program("weir protocol", "echo", "weir_echo_protocol"),
        program("weir buffered", "echo", "weir_echo_buffered"),
        program("weir streams, views", "echo", "weir_streams", "echo_view"),
        program("weir streams, owned", "echo", "weir_streams", "echo_owned"),
        program("floor, batched", "lines", "raw_lines"),
        program("floor, a send per line", "lines", "raw_lines", "each"),
        program("weir lines, views", "lines", "weir_streams", "lines_view"),
        program("weir lines, owned", "lines", "weir_streams", "lines_owned"),
    ]


# ---- Who: the peers

def compiled_peers(programs: pathlib.Path) -> list[Contestant]:
    def program(name, kind, file, *arguments, **more):
        return Contestant(name, kind, (str(programs / file), *arguments), **more)

    return [
        program("Asio callbacks", "echo", "asio_callbacks", takes_buffer=True),
        program("Asio coroutines", "echo", "asio_coroutines", "echo", takes_buffer=True),
        program("libuv", "echo", "libuv"),
        program("libevent", "echo", "libevent", "echo"),
        program("Asio read_until", "lines", "asio_coroutines", "lines"),
        program("Asio read_until, batched", "lines", "asio_coroutines", "lines_batched"),
        program("libevent readln", "lines", "libevent", "lines"),
    ]


def python_peers(skipped: list[str]) -> list[Contestant]:
    server = str(HERE / "peers" / "asyncio_server.py")
    found = []
    python = python_with("uvloop")
    for loop, needed in (("asyncio", "asyncio"), ("uvloop", "uvloop")):
        if needed == "uvloop" and not python:
            skipped.append("uvloop: no python3 has it (apt: python3-uvloop)")
            continue
        start = (python or sys.executable, server)
        option = ("--uvloop",) if loop == "uvloop" else ()
        found += [
            Contestant(f"{loop} protocol", "echo", (*start, "protocol", *option)),
            Contestant(f"{loop} streams", "echo", (*start, "streams", *option)),
            Contestant(f"{loop} readline", "lines", (*start, "lines", *option)),
        ]
    return found


def python_with(module: str) -> str | None:
    """The distribution's CPython, if it has the module: so both loops run on the same one."""
    for python in ("/usr/bin/python3", sys.executable):
        try:
            done = subprocess.run([python, "-c", f"import {module}"], capture_output=True)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


def tokio_peers(programs: pathlib.Path, skipped: list[str]) -> list[Contestant]:
    file = build_tokio(programs, skipped)
    if file is None:
        return []
    return [
        Contestant("tokio", "echo", (file, "echo"), takes_buffer=True),
        Contestant("tokio read_until", "lines", (file, "lines")),
        Contestant("tokio LinesCodec", "lines", (file, "lines_codec")),
        Contestant("tokio, batched", "lines", (file, "lines_batched")),
    ]


def build_tokio(programs: pathlib.Path, skipped: list[str]) -> str | None:
    """With what the distribution packages, without the network."""
    if not any(CARGO_SOURCES.glob("tokio-1*")):
        packages = "cargo, librust-tokio-dev, librust-tokio-util-dev"
        skipped.append(f"tokio: not installed (apt: {packages})")
        return None
    target = programs / "tokio"
    offline = ("source.crates-io.replace-with='debian'",
               f"source.debian.directory='{CARGO_SOURCES}'")
    command = ["cargo", "build", "--release", "--offline", "--quiet", "--target-dir", str(target)]
    for setting in offline:
        command += ["--config", setting]
    # cargo writes Cargo.lock beside Cargo.toml: in the build folder, then.
    source = target / "source"
    (source / "src").mkdir(parents=True, exist_ok=True)
    for name in ("Cargo.toml", "src/main.rs"):
        wanted = (HERE / "peers" / "tokio" / name).read_text()
        copy = source / name
        if not copy.exists() or copy.read_text() != wanted:
            copy.write_text(wanted)
    try:
        done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    except OSError as error:
        skipped.append(f"tokio: {error}")
        return None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        skipped.append(f"tokio: cargo could not build it: {last}")
        return None
    return str(target / "release" / "tokio_server")


def everybody(programs: pathlib.Path, peers: bool) -> tuple[list[Contestant], list[str]]:
    """Those that are there, and a line for each that is not."""
    skipped: list[str] = []
    wanted = own(programs)
    if peers:
        for contestant in compiled_peers(programs):
            if pathlib.Path(contestant.command[0]).exists():
                wanted.append(contestant)
            else:
                skipped.append(f"{contestant.name}: its library is not installed")
        wanted += python_peers(skipped)
        wanted += tokio_peers(programs, skipped)
    return wanted, skipped
