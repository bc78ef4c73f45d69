// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/streams/open_connection.hpp>
#include <weir/streams/testing/chunk_sweep.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::testing::cancel_sweep;
using weir::testing::chunk_sweep;
using weir::testing::Chunks;
using weir::testing::ChunkSweepOptions;
using weir::testing::for_each_cut;
using weir::testing::SweepRun;

namespace {

Coro<std::vector<std::string>> lines(StreamReader reader) {
  std::vector<std::string> all;
  while (auto line = co_await reader.next_line()) all.push_back(*line);
  co_return all;
}

/// Takes a chunk for a record: the mistake that the sweep is there for.
Coro<std::string> first_chunk(StreamReader reader) {
  std::string chunk = co_await reader.read(100);
  co_return chunk;
}

Coro<> checks_head(StreamReader reader) {
  const std::string head = co_await reader.read(2);
  if (head != "ab") throw ValueError("bad head");
}

Coro<int> counts_pauses(StreamReader reader) {
  int bytes = 0;
  std::string one = co_await reader.read(1);
  while (!one.empty()) {
    ++bytes;
    co_await sleep(1s);
    one = co_await reader.read(1);
  }
  co_return bytes;
}

Coro<> never_ends(StreamReader) {
  const Future<> never = get_running_loop().create_future<void>();
  co_await never;
}

Coro<> leaves_a_task(StreamReader reader) {
  const Task<int> child = create_task(counts_pauses(reader));
  co_await sleep(0s);
}

std::vector<Chunks> cuts_of(std::string_view input, const ChunkSweepOptions& options = {}) {
  std::vector<Chunks> all;
  for_each_cut(input, options, [&](const Chunks& chunks) {
    all.push_back(chunks);
    return true;
  });
  return all;
}

/// A client of a server that answers after a second. Without `kept` it drops its writer, which
/// closes the connection.
Coro<std::string> asks(std::vector<StreamWriter>* kept) {
  const Streams made = co_await open_connection("127.0.0.1", 80);
  if (kept != nullptr) kept->push_back(made.writer);
  made.writer.write("question\n");
  std::string line = co_await made.reader.readline();
  if (kept != nullptr) kept->clear();
  co_return line;
}

void answer_after_a_second(SweepRun& run) {
  const int listener = run.kernel.listen_on(80);
  run.loop.call_later(1s, [&run, listener] {
    const int peer = run.kernel.accept_from(listener);
    if (peer >= 0) run.kernel.put(peer, "answer\n");
  });
}

}  // namespace

TEST_SUITE("streams/testing/chunk_sweep") {
  TEST_CASE("for_each_cut: a short input is cut in every way, in one piece first") {
    const std::vector<Chunks> all = cuts_of("abcd");
    CHECK(std::set<Chunks>(all.begin(), all.end()).size() == 8);
    CHECK(all.size() == 8);
    CHECK(all.front() == Chunks{"abcd"});
    CHECK(all.back() == Chunks{"a", "b", "c", "d"});
    CHECK(cuts_of("").size() == 1);
    CHECK(cuts_of(std::string(14, 'x')).size() == 8192);
  }

  TEST_CASE("for_each_cut: a long input is cut at random, the same for the same seed") {
    const std::string input(100, 'x');
    const std::vector<Chunks> all = cuts_of(input, {.seed = 7, .random_cuts = 50});
    CHECK(all.size() == 52);
    CHECK(all[0].size() == 1);
    CHECK(all[1].size() == 100);
    std::set<std::size_t> sizes;
    for (const Chunks& chunks : all) {
      std::size_t bytes = 0;
      for (const std::string_view chunk : chunks) bytes += chunk.size();
      REQUIRE(bytes == 100);
      sizes.insert(chunks.size());
    }
    CHECK(sizes.size() > 10);
    CHECK(all == cuts_of(input, {.seed = 7, .random_cuts = 50}));
    CHECK(all != cuts_of(input, {.seed = 8, .random_cuts = 50}));
  }

  TEST_CASE("chunk_sweep: a handler that reads records passes") {
    CHECK(chunk_sweep("a\nbcd\n\nef", lines) == "");
    std::string text;
    for (int i = 0; i < 50; ++i) text += std::string(static_cast<std::size_t>(i), 'x') + "\n";
    CHECK(chunk_sweep(text, lines, {.random_cuts = 100}) == "");
  }

  TEST_CASE("chunk_sweep: a handler that takes a chunk for a record is found at the first cut") {
    CHECK(chunk_sweep("ab\n", first_chunk) ==
          "seed 1, cut 1: a|b\\n gives \"a\", in one piece \"ab\\n\"");
  }

  TEST_CASE("chunk_sweep: exceptions are compared, too") {
    CHECK(chunk_sweep("abc", checks_head) ==
          "seed 1, cut 1: a|bc gives ValueError: bad head, in one piece returns");
  }

  TEST_CASE("chunk_sweep: the seed of a random cut is named") {
    const std::string wrong = chunk_sweep(std::string(20, 'x'), first_chunk, {.seed = 42});
    CHECK(wrong.starts_with("seed 42, cut 1: x|x|x|"));
  }

  TEST_CASE("chunk_sweep: a handler may let time pass") {
    CHECK(chunk_sweep("abcdef", counts_pauses) == "");
  }

  TEST_CASE("chunk_sweep: a handler that waits for ever is found") {
    CHECK(chunk_sweep("a", never_ends) == "seed 1, cut 0: a: waits for ever");
  }

  TEST_CASE("chunk_sweep: a task that the handler leaves is found") {
    const std::string wrong = chunk_sweep("a", leaves_a_task);
    CHECK(wrong.starts_with("seed 1, cut 0: a: left over: <Task pending"));
  }

  TEST_CASE("chunk_sweep: the limit of the reader is the test's") {
    CHECK(chunk_sweep("abcdef\n", lines, {.limit = 3}) != "");
    CHECK(chunk_sweep("abc\nde\n", lines, {.limit = 3}) == "");
  }

  TEST_CASE("cancel_sweep: a client that drops its streams passes at every await point") {
    const auto make = [](SweepRun& run) {
      answer_after_a_second(run);
      return asks(nullptr);
    };
    CHECK(cancel_sweep(make) == "");
  }

  TEST_CASE("cancel_sweep: a transport that a cancelled client leaves open is found") {
    std::vector<StreamWriter> kept;
    const auto make = [&kept](SweepRun& run) {
      answer_after_a_second(run);
      return asks(&kept);
    };
    CHECK(cancel_sweep(make) ==
          "cancelled at await point 2: a transport or a listener is left open");
  }
}
