#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants races and ordering bugs in a copy of the library, one at a time; ./dev sim must find each
within a thousand seeds, and make it small.
"""

import argparse
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from planting import ROOT, Patch, build, entry_of, planted_file, run, with_files  # noqa: E402

TRANSPORT = "net/socket_transport.cpp"
READING = "net/socket_transport_reading.cpp"
READER = "streams/reader_state.cpp"
CHAT = "docs/examples/chat.cpp"
CHAT_SIM = "docs/examples/chat_sim"
SEEDS = 1000


class Mutant(NamedTuple):
    name: str
    patch: Patch


def mutant(name: str, source: str, inside: str, old: str, new: str) -> Mutant:
    return Mutant(name, Patch(source, old, new, inside))


# In the example of docs/simulation.md; its own simulation finds it.
CHAT_MUTANT = mutant("the chat says what is left of a line at the end", CHAT, "class Chat {",
                     "if (!line.ends_with('\\n')) co_return false;",
                     "if (line.empty()) co_return false;")

MUTANTS = (
    mutant("the end of the stream comes before the bytes", READER, "void ReaderState::feed_eof(",
           "eof_ = true;", "eof_ = true; buffer_.consume(buffer_.size());"),
    mutant("a stale event reaches whoever has the number now", "reactor/io_table.cpp",
           "void IoTable::forget(", "++its.generation;", ""),
    mutant("a partial write drops a byte", TRANSPORT, "void SocketTransport::write_ready(",
           "buffer_.consume(static_cast<std::size_t>(sent.value));",
           "buffer_.consume(std::min(buffer_.size(), static_cast<std::size_t>(sent.value) + 1));"),
    mutant("resume_writing is not called", TRANSPORT, "void SocketTransport::write_ready(",
           "if (flow_.should_resume(buffer_.size()))",
           "if (!buffer_.empty() && flow_.should_resume(buffer_.size()))"),
    mutant("connection_lost comes at once, not in the next pass", TRANSPORT,
           "void SocketTransport::end(",
           "loop().ready().push(turn());", "lose();"),
    mutant("a read that waits is not woken by the end", READER, "void ReaderState::feed_eof(",
           "wake();", ""),
    mutant("timers are early", "reactor/event_loop.cpp", "void EventLoop::queue_due_timers(",
           "timers_.queue_due(now, ", "timers_.queue_due(now + std::chrono::milliseconds(1), "),
    mutant("write_eof() overtakes what was written", TRANSPORT, "void SocketTransport::write_eof(",
           "if (send_gathered() && buffer_.empty()) send_eof();",
           "if (send_gathered()) send_eof();"),
    mutant("a cancelled connect stays registered", "net/connect_race.cpp",
           "ConnectRace::~ConnectRace(",
           "for (const auto& attempt : attempts_) unwatch(*attempt);", ""),
    mutant("a connection whose connect was cancelled leaks", "net/connect.cpp",
           "Coro<Connection<>> make_transport(", "transport->close();", ""),
    mutant("resume_reading does not watch", READING, "void SocketTransport::resume_reading(",
           "watch_reading();", ""),
    mutant("accepting does not go on after EMFILE", "net/listener.cpp",
           "void Listener::handle_error(",
           "retry_.arm(deadline_after(loop_.time(), accept_retry_delay));", ""),
    mutant("drain() is not woken", "streams/flow_control_mixin.cpp",
           "void FlowControlMixin::resume_writing(", "detail::wake_all(drain_waiters_);", ""),
)


def hunt(planted: Mutant, build_folder: pathlib.Path, jobs: int) -> bool:
    """Whether it is found; prints what ./dev sim makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        program = build(build_folder, "tests/sim", planted.patch, pathlib.Path(folder))
        done = subprocess.run([str(program), "--seed", "1", "--count", str(SEEDS),
                               "--jobs", str(jobs)], capture_output=True, text=True)
    found = re.search(r"^seed (\d+) fails: .*?(?=^The last that happens)", done.stdout, re.M | re.S)
    crashed = re.search(r"^crashed.*", done.stderr, re.M)
    print(f"{'found' if found or crashed else 'NOT FOUND'}: {planted.name}")
    if found or crashed:
        print((found or crashed)[0].rstrip() + "\n", flush=True)
    else:
        print(done.stdout + done.stderr)
    return bool(found or crashed)


def hunt_in_chat(build_folder: pathlib.Path) -> bool:
    """The same for the example, which includes the chat."""
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        source = work / "chat_sim.cpp"
        source.write_bytes((ROOT / f"{CHAT_SIM}.cpp").read_bytes())
        (work / "chat.cpp").write_text(planted_file(CHAT_MUTANT.patch), encoding="utf-8")
        entry = entry_of(build_folder, CHAT_SIM, f"{CHAT_SIM}.cpp")
        compiled = work / "chat_sim.o"
        run([*with_files(shlex.split(entry["command"]), source, compiled), "-w"], build_folder)
        commands = subprocess.run(["ninja", "-t", "commands", CHAT_SIM], cwd=build_folder,
                                  capture_output=True, check=True, text=True).stdout
        link = shlex.split(commands.splitlines()[-1])
        link[link.index(entry["output"])] = str(compiled)
        program = work / "chat_sim"
        link[link.index("-o") + 1] = str(program)
        run(link, build_folder)
        done = subprocess.run([str(program), "1", str(SEEDS)], capture_output=True, text=True)
    found = re.search(r"^seed \d+: half a sentence.*", done.stdout, re.M)
    print(f"{'found' if found else 'NOT FOUND'}: {CHAT_MUTANT.name}")
    print(found[0] + "\n" if found else done.stdout, flush=True)
    return bool(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/gcc")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("name", nargs="?", default="", help="only those whose name contains this")
    options = parser.parse_args()
    found = [hunt(planted, options.build.resolve(), options.jobs) for planted in MUTANTS
             if options.name in planted.name]
    if options.name in CHAT_MUTANT.name:
        found.append(hunt_in_chat(options.build.resolve()))
    print(f"{sum(found)} of {len(found)} planted bugs found, each within {SEEDS} seeds")
    return 0 if all(found) and found else 1


if __name__ == "__main__":
    sys.exit(main())
