// SPDX-License-Identifier: MIT
// What the chapter "readuntil" shows.
#include <doctest/doctest.h>

#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/streams/streams.hpp>

#include "stage.hpp"

using namespace std::chrono_literals;

namespace {

using book::Stage;

// [mask]
/// A bit for each of up to 64 bytes: is it the one that is looked for?
std::uint64_t match_mask(std::string_view block, char wanted) {
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    mask |= std::uint64_t{block[i] == wanted} << i;
  }
  return mask;  // With AVX2: two loads, two compares, two moves.
}

/// All records of a block, from one mask.
std::vector<std::string_view> records(std::string_view block) {
  std::vector<std::string_view> found;
  std::size_t begin = 0;
  for (std::uint64_t mask = match_mask(block, '\n'); mask != 0; mask &= mask - 1) {
    const auto end = static_cast<std::size_t>(std::countr_zero(mask)) + 1;
    found.push_back(block.substr(begin, end - begin));
    begin = end;
  }
  return found;
}
// [/mask]

// [recover]
/// Reads records of at most the limit, and skips those that are longer.
weir::Coro<std::vector<std::string>> short_records(weir::StreamReader reader) {
  std::vector<std::string> kept;
  for (;;) {
    weir::Outcome<std::string> record = co_await weir::outcome(reader.readuntil("\r\n"));
    try {
      kept.push_back(std::move(record).value());
      continue;
    } catch (const weir::IncompleteReadError&) {
      break;  // The end of the stream.
    } catch (const weir::LimitOverrunError&) {
      // The buffer is as it was. We may not co_await in here: see below.
    }
    const weir::Outcome<std::uint64_t> skipped =
        co_await weir::outcome(reader.discard_until("\r\n"));
    if (skipped.exception()) break;  // The end, in the middle of it.
  }
  co_return kept;
}
// [/recover]

/// What the exception of a read says.
std::string error_of(const weir::Task<std::string>& task) {
  return task.exception() ? weir::describe(task.exception()) : "none";
}

}  // namespace

TEST_SUITE("book/readuntil") {
  TEST_CASE("readuntil: all records of a block come out of one mask") {
    CHECK(match_mask("a\nbc\n", '\n') == 0b10010);
    CHECK(records("a\nbc\nd") == std::vector<std::string_view>{"a\n", "bc\n"});
    CHECK(records(std::string(63, 'x') + "\n").size() == 1);
  }

  TEST_CASE_FIXTURE(Stage, "readuntil: a record that waits is searched where nobody has looked") {
    // [scan_once]
    const weir::StreamReader reader(loop);
    const auto line = loop.create_task(reader.readuntil("\r\n"));
    for (int i = 0; i < 100; ++i) {
      reader.feed_data(std::string(10, 'x'));
      pass();  // The read looks, and goes on waiting.
    }
    reader.feed_data("\r\n");
    run_for(1ms);
    CHECK(line.result().size() == 1002);
    CHECK(reader.bytes_scanned() <= 1002);
    // [/scan_once]
  }

  TEST_CASE_FIXTURE(Stage, "readuntil: limit counts what comes before the separator") {
    // [limit]
    const weir::StreamReader reader(loop, 4);
    reader.feed_data("four\r\n");
    const auto fits = loop.create_task(reader.readuntil("\r\n"));
    run_for(1ms);
    CHECK(fits.result() == "four\r\n");  // 4 and the separator.

    reader.feed_data("fiver\r\n");
    const auto found = loop.create_task(reader.readuntil("\r\n"));
    run_for(1ms);
    CHECK(error_of(found) ==
          "LimitOverrunError: Separator is found, but chunk is longer than limit");
    CHECK(reader.buffered_bytes() == 7);  // Nothing was taken.
    // [/limit]
  }

  TEST_CASE_FIXTURE(Stage, "readuntil: consumed leaves the beginning of a separator alone") {
    // [consumed]
    const weir::StreamReader reader(loop, 4);
    reader.feed_data("fiver\r");  // The \r may be half of the separator.
    const auto read = loop.create_task(reader.readuntil("\r\n"));
    run_for(1ms);
    try {
      read.result();
      FAIL_CHECK("it was within the limit");
    } catch (const weir::LimitOverrunError& error) {
      CHECK(error.consumed == 5);  // "fiver": readexactly(5) may take that much.
    }
    // [/consumed]
  }

  TEST_CASE_FIXTURE(Stage, "readuntil: records that are too long can be skipped") {
    const weir::StreamReader reader(loop, 4);
    const auto task = loop.create_task(short_records(reader));
    for (const std::string_view chunk : {"one\r\nmuch too", " long\r", "\ntwo\r\nthr"}) {
      reader.feed_data(chunk);
      run_for(1ms);
    }
    reader.feed_eof();
    run_for(1ms);
    CHECK(task.result() == std::vector<std::string>{"one\r\n", "two\r\n"});
  }

  TEST_CASE_FIXTURE(Stage, "readuntil: a read that times out leaves its bytes, and the search") {
    // [timeout]
    const weir::StreamReader reader(loop);
    reader.feed_data("half a li");
    const auto first = loop.create_task(weir::wait_for(reader.readline(), 1s));
    run_for(2s);
    CHECK(error_of(first) == "TimeoutError");
    reader.feed_data("ne\n");
    const auto second = loop.create_task(reader.readline());
    run_for(1ms);
    CHECK(second.result() == "half a line\n");
    CHECK(reader.bytes_scanned() <= 12);
    // [/timeout]
  }
}
