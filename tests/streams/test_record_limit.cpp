// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include <weir/reactor/error.hpp>
#include <weir/reactor/task/timeouts.hpp>
#include <weir/streams/errors.hpp>

#include <tests/streams/stream_fixture.hpp>
#include <tests/streams/stream_loop.hpp>

using weir::Coro;
using weir::LimitOverrunError;
using weir::StreamReader;
using weir::Task;
using weir::test::Connected;
using weir::test::ReaderLoop;
using weir::test::said;
using weir::test::StreamLoop;
using weir::test::unused;

namespace {

/// The overrun that a task ended with, or one without any numbers.
template <class T>
LimitOverrunError overrun_of(const Task<T>& task) {
  try {
    unused(task.result());
  } catch (const LimitOverrunError& overrun) {
    return overrun;
  } catch (...) {
    FAIL_CHECK(weir::describe(std::current_exception()));
  }
  return {"no overrun", 0};
}

Coro<std::string> reads_views(StreamReader reader) {
  std::string all;
  const std::string_view first = co_await reader.readuntil_view(";", {.limit = 9});
  all += first;
  const std::string_view second = co_await reader.readuntil_view({",", ";"}, {.limit = 9});
  all += second;
  const std::string_view third = co_await reader.readline_view({.limit = 9});
  all += third;
  co_return all;
}

Coro<std::string> reads_lines(StreamReader reader) {
  std::string all;
  while (auto line = co_await reader.next_line({.limit = 20})) all += "[" + *line + "]";
  co_return all;
}

}  // namespace

TEST_SUITE("streams/record_limit") {
  TEST_CASE_FIXTURE(ReaderLoop,
                    "limit of a call: more than the reader's lets a longer one through") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("abcdefgh\nx");
    CHECK(said(run(reader, weir::test::readuntil("\n"))) == "LOE-found(8)");
    const Task<std::string> record = loop.create_task(reader.readuntil("\n", {.limit = 8}));
    settle();
    CHECK(said(record) == R"("abcdefgh\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "limit of a call: less than the reader's refuses a shorter one") {
    const StreamReader reader = make_reader(100);
    reader.feed_data("abcdefgh\nx");
    const Task<std::string> record = loop.create_task(reader.readuntil("\n", {.limit = 7}));
    settle();
    CHECK(said(record) == "LOE-found(8)");
    CHECK(said(run(reader, weir::test::readuntil("\n"))) == R"("abcdefgh\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "limit of a call: without a separator it counts what is certain") {
    const StreamReader reader = make_reader(100);
    reader.feed_data("abcdefgh\r");
    const Task<std::string> record = loop.create_task(reader.readuntil("\r\n", {.limit = 8}));
    settle();
    CHECK(said(record) == "PENDING");
    feed(reader, "x");
    CHECK(said(record) == "LOE-notfound(9)");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "limit of a call: none given, the reader's holds") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("abcdefgh\nx");
    const Task<std::string> record = loop.create_task(reader.readuntil("\n", {}));
    settle();
    CHECK(said(record) == "LOE-found(8)");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "limit of a call: zero or less is a ValueError at once") {
    const StreamReader reader = make_reader();
    for (const std::ptrdiff_t limit : {0, -1}) {
      CHECK_THROWS_WITH_AS(unused(reader.readuntil("\n", {.limit = limit})), "Limit cannot be <= 0",
                           weir::ValueError);
      CHECK_THROWS_WITH_AS(unused(reader.readline({.limit = limit})), "Limit cannot be <= 0",
                           weir::ValueError);
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "limit of a call: holds for several separators") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("abcdefgh;x");
    const Task<std::string> cut = loop.create_task(reader.readuntil({"\n", ";"}, {.limit = 7}));
    settle();
    CHECK(said(cut) == "LOE-found(8)");
    const Task<std::string> whole = loop.create_task(reader.readuntil({"\n", ";"}, {.limit = 8}));
    settle();
    CHECK(said(whole) == R"("abcdefgh;")");
  }

  TEST_CASE_FIXTURE(ReaderLoop,
                    "limit of a call: an over-long line is discarded as by the reader's") {
    const StreamReader reader = make_reader();
    reader.feed_data("abcdefgh\nok\n");
    const Task<std::string> line = loop.create_task(reader.readline({.limit = 4}));
    settle();
    CHECK(said(line) == "ValueError: found");
    CHECK(said(run(reader, weir::test::readline())) == R"("ok\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "limit of a call: a line without an end takes all that is there") {
    const StreamReader reader = make_reader();
    reader.feed_data("abcdefgh");
    const Task<std::string> line = loop.create_task(reader.readline({.limit = 4}));
    settle();
    CHECK(said(line) == "ValueError: notfound");
    CHECK(reader.buffered_bytes() == 0);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "limit of a call: next_line takes one too") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("a long line\nb\nanother long one\n");
    reader.feed_eof();
    const Task<std::string> lines = loop.create_task(reads_lines(reader));
    settle();
    CHECK(lines.result() == "[a long line\n][b\n][another long one\n]");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "limit of a call: the views take one too") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("abcdefgh;ijklmnop,qrstuvwx\n");
    const Task<std::string> views = loop.create_task(reads_views(reader));
    settle();
    CHECK(views.result() == "abcdefgh;ijklmnop,qrstuvwx\n");
  }

  // The transport is paused above twice the reader's limit: a read that may take more must go on.
  TEST_CASE_FIXTURE(ReaderLoop, "limit of a call: a read that waits resumes a paused transport") {
    const StreamReader reader = make_reader(2);
    const Task<std::string> record = loop.create_task(reader.readuntil("\n", {.limit = 100}));
    settle();
    for (int i = 0; i < 10; ++i) feed(reader, "abcd");
    CHECK(transport.is_reading());
    feed(reader, "\n");
    CHECK(record.result().size() == 41);
    CHECK(transport.is_reading());
  }

  TEST_CASE_FIXTURE(StreamLoop, "limit of a call: a long record passes a transport that pauses") {
    const Connected made = connect(16);
    const std::string record = std::string(100'000, 'x') + "\n";
    const Task<std::string> task =
        loop.create_task(made.reader.readuntil("\n", {.limit = 200'000}));
    turn();
    for (std::size_t at = 0; at < record.size(); at += 999) {
      kernel.put(made.theirs, record.substr(at, 999));
      turn();
    }
    CHECK(task.done());
    CHECK(task.result() == record);
  }

  TEST_CASE_FIXTURE(ReaderLoop,
                    "limit of a call: another one for the same record scans nothing twice") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("abcdefgh\n");
    for (const std::ptrdiff_t limit : {1, 2, 3, 4}) {
      const Task<std::string> record = loop.create_task(reader.readuntil("\n", {.limit = limit}));
      settle();
      CHECK(said(record) == "LOE-found(8)");
    }
    CHECK(reader.bytes_scanned() == 9);
  }

  TEST_CASE_FIXTURE(ReaderLoop,
                    "limit of a call: kept when the read runs as a task with a time-out") {
    const StreamReader reader = make_reader(4);
    const Task<std::string> record = loop.create_task(
        weir::wait_for(reader.readuntil("\n", {.limit = 8}), std::chrono::seconds(5)));
    settle();
    feed(reader, "abcdefgh\n");
    CHECK(said(record) == R"("abcdefgh\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "LimitOverrunError: of a separator found says all its numbers") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("abcdef\nxy");
    const LimitOverrunError overrun = overrun_of(run(reader, weir::test::readuntil("\n")));
    CHECK(overrun.consumed == 6);
    CHECK(overrun.limit == 4);
    CHECK(overrun.buffered == 9);
    CHECK(overrun.separator_found);
    CHECK(overrun.describe() ==
          "Separator is found, but chunk is longer than limit (limit 4, separator at 6, 9 bytes "
          "buffered)");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "LimitOverrunError: of none found says all its numbers") {
    const StreamReader reader = make_reader(400);
    reader.feed_data("abcdefghi");
    const Task<std::string> record = loop.create_task(reader.readuntil("\r\n", {.limit = 5}));
    settle();
    const LimitOverrunError overrun = overrun_of(record);
    CHECK(overrun.consumed == 8);
    CHECK(overrun.limit == 5);
    CHECK(overrun.buffered == 9);
    CHECK_FALSE(overrun.separator_found);
    CHECK(overrun.describe() ==
          "Separator is not found, and chunk exceed the limit (limit 5, no separator in the first "
          "8 bytes, 9 bytes buffered)");
  }

  TEST_CASE("LimitOverrunError: made without numbers describes itself by its text") {
    CHECK(LimitOverrunError("text", 3).describe() == "text");
  }
}
