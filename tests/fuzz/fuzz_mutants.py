#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants a bug in a copy of one source at a time: its target must find it, without a corpus to
start from."""

import argparse
import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

import fuzz  # noqa: E402
from planting import Patch, build  # noqa: E402

SECONDS = 60

# The target, what is wrong, and how it comes about.
MUTANTS = (
    ("reader", "the limit is off by one",
     Patch("streams/reader_search.cpp", "match.start > limit", "match.start >= limit",
           "Verdict ReaderState::judge(")),
    ("reader", "a cancelled read stays the waiter",
     Patch("streams/reader_state.cpp",
           "if (reader.waiter_ == &node) reader.waiter_ = nullptr;", "",
           "const Parked::Kind ReaderState::wait_parked")),
    ("write_buffer", "sliding down forgets how far",
     Patch("net/write_buffer.cpp", "block_->memory() + block_->begin, kept)",
           "block_->memory() + block_->begin / 2 * 2, kept)")),
    ("address", "a NUL inside a numeric address ends it",
     Patch("net/address.cpp", "if (std::strlen(text.data()) != host.size()) return std::nullopt;",
           "")),
    ("address", "the path of a unix socket may fill its room",
     Patch("net/address.cpp", "return path.starts_with('\\0') ? room : room - 1;",
           "return room;")),
    ("separator", "the search goes on behind a candidate that is none",
     Patch("streams/find_separator.cpp", "mask &= mask - 1", "mask = 0")),
    ("separator", "what is shorter than a vector overlaps by one byte too few",
     Patch("streams/match_words.hpp", "at + count - 8, 8), byte) << (count - 8)",
           "at + count - 8, 8), byte) << (count - 7)")),
    ("separator", "after a step the search for floods knows too much",
     Patch("streams/two_way.cpp", "known = periodic ? size - cut.period : 0;",
           "known = size - std::min(size, cut.period);")),
    ("timer_heap", "the last entry only sinks into the hole",
     Patch("reactor/timer_heap.cpp", "hole > 0 && before(last, entries_[(hole - 1) / arity])",
           "false && hole > 0")),
    ("timer_heap", "a sweep leaves the rest as it lies",
     Patch("reactor/timer_heap.cpp",
           "for (std::size_t i = heaped_; i-- > 0;) sift_down(i, Entry(entries_[i]));",
           "for (std::size_t i = heaped_; i-- > 0;) place(i, Entry(entries_[i]));")),
    ("transport", "what a pausing callback leaves unread is delivered",
     Patch("net/socket_transport_reading.cpp", "loop().io().set_reader(socket_.fd(), "
           "is_reading() ? &reader_node() : nullptr);",
           "if (is_reading()) loop().io().set_reader(socket_.fd(), &reader_node());",
           "void SocketTransport::watch_reading(")),
    ("transport", "close() ends at once, whatever waits",
     Patch("net/socket_transport.cpp", "if (buffer_.empty()) return end(nullptr);",
           "return end(nullptr);", "void SocketTransport::close(")),
    ("resp", "readexactly() does not wait for the rest",
     Patch("streams/reader_state.cpp", "return ended() ? Verdict::incomplete : Verdict::wait;",
           "return Verdict::incomplete;", "Verdict ReaderState::look_exactly(")),
)

# The sources that a bug in a header is compiled into.
IN_HEADER = {"streams/match_words.hpp": ("streams/match_mask_sse2.cpp",
                                         "streams/find_separator.cpp")}


def hunt(target: str, name: str, patch: Patch, options: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        program = build(options.build, "tests/fuzz", patch, work,
                        IN_HEADER.get(patch.source, ()))
        dictionary = HERE / f"{target}.dict"
        start = time.monotonic()
        done = fuzz.run_fuzzer(
            program, target, f"-max_total_time={SECONDS}", f"-max_len={fuzz.MAX_BYTES[target]}",
            "-len_control=20", "-timeout=10", f"-seed={options.seed}", f"-artifact_prefix={work}/",
            *([f"-dict={dictionary}"] if dictionary.exists() else []))
        took = time.monotonic() - start
    found = done.returncode != 0 and "Test unit written to" in done.stdout
    told = fuzz.finding_in(done.stdout).splitlines()[0] if found else done.stdout[-500:]
    print(f"{'found' if found else 'NOT FOUND'} in {took:.1f} s by {target}: {name}\n    {told}",
          flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("filter", nargs="?", default="", help="only bugs whose name contains this")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/fuzz")
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    options.build = options.build.resolve()
    found = [hunt(target, name, patch, options) for target, name, patch in MUTANTS
             if options.filter in f"{target}: {name}"]
    print(f"{sum(found)} of {len(found)} planted bugs found, each within {SECONDS} s")
    return 0 if found and all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
