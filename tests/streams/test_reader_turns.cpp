// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tests/streams/stream_fixture.hpp>

using weir::Coro;
using weir::StreamReader;
using weir::Task;
using weir::test::ReadCall;
using weir::test::ReaderLoop;
using weir::test::said;

namespace {

constexpr std::size_t turn = weir::detail::ReaderState::turn_bytes;

/// Reads so many records; counts their bytes while it does.
Coro<std::size_t> read_all(StreamReader reader, ReadCall call, std::size_t records,
                           std::size_t* total) {
  std::size_t read = 0;
  for (; read < records; ++read) {
    const std::string record = co_await weir::test::make_call(reader, call);
    *total += record.size();
  }
  co_return read;
}

/// Pieces of a record, until the stream ends within it.
Coro<> read_pieces(StreamReader reader, std::size_t* total) {
  const weir::RecordOptions options{.limit = 1024};
  for (;;) {
    const weir::RecordPiece piece = co_await reader.readuntil_piece("\n", options);
    *total += piece.bytes.size();
  }
}

std::string records_of(std::size_t bytes, std::string_view separator, std::size_t total) {
  std::string all;
  const std::string record = std::string(bytes - separator.size(), 'x') + std::string(separator);
  while (all.size() < total) all += record;
  return all;
}

}  // namespace

TEST_SUITE("streams/reader_turns") {
  TEST_CASE_FIXTURE(ReaderLoop, "turn: a task with endless records lets others run now and then") {
    for (const ReadCall& call :
         {weir::test::readline(), weir::test::readuntil("\r\n"), weir::test::readuntil("\r\n\r\n"),
          weir::test::readuntil_any({"\n", ";"}), weir::test::readexactly(16),
          weir::test::read(16)}) {
      const StreamReader reader(loop, 64 * 1024 * 1024);
      const std::string all = records_of(16, "\r\n\r\n", 40 * turn);
      reader.feed_data(all);
      const bool by_line = call.kind == ReadCall::Kind::readline ||
                           (!call.separators.empty() && call.separators[0].size() <= 2);
      const std::size_t records = all.size() / 16 * (by_line ? 2 : 1);
      std::size_t total = 0;
      const Task<std::size_t> task = loop.create_task(read_all(reader, call, records, &total));
      std::size_t most = 0;
      int passes = 0;
      for (; !task.done() && passes < 1000; ++passes) {
        const std::size_t before = total;
        pass();
        most = std::max(most, total - before);
      }
      CHECK(total == all.size());
      CHECK(passes >= 38);
      CHECK(passes <= 42);
      CHECK(most <= 2 * turn + 128);
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "turn: pieces of a record that never ends count, too") {
    const StreamReader reader(loop, 64 * 1024 * 1024);
    reader.feed_data(std::string(10 * turn, 'x'));
    std::size_t total = 0;
    const Task<> task = loop.create_task(read_pieces(reader, &total));
    pass();
    CHECK(total > 0);
    CHECK(total <= 2 * turn + 1024);
    settle();
    CHECK(total == 10 * turn - 1024);  // The last ones may be the beginning of more.
    task.cancel();
    settle();
  }

  TEST_CASE_FIXTURE(ReaderLoop, "turn: what has gone through many passes starves nobody") {
    const StreamReader reader(loop, 64 * 1024 * 1024);
    std::size_t total = 0;
    const Task<std::size_t> task =
        loop.create_task(read_all(reader, weir::test::readline(), 5000, &total));
    settle();
    const std::string line = records_of(64, "\n", 1);
    for (int i = 0; i < 5000; ++i) {
      reader.feed_data(line);
      pass();
      REQUIRE(total == 64 * (static_cast<std::size_t>(i) + 1));
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop,
                    "turn: a read whose turn is over can be cancelled, and takes nothing") {
    const StreamReader reader(loop, 64 * 1024 * 1024);
    reader.feed_data(records_of(16, "\n", 10 * turn));
    std::size_t total = 0;
    const Task<std::size_t> task =
        loop.create_task(read_all(reader, weir::test::readline(), 1'000'000, &total));
    pass();
    CHECK(total <= 2 * turn + 128);
    CHECK(task.cancel());
    settle();
    CHECK(task.cancelled());
    CHECK(reader.buffered_bytes() == 10 * turn - total);
    CHECK(said(run(reader, weir::test::readline())).size() == 19);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "turn: if others have taken its record by then, the read waits") {
    const StreamReader reader(loop, 64 * 1024 * 1024);
    reader.feed_data(records_of(16, "\n", 3 * turn));
    std::size_t total = 0;
    const Task<std::size_t> task =
        loop.create_task(read_all(reader, weir::test::readline(), 1'000'000, &total));
    pass();
    const std::size_t before = total;
    auto theft = reader.readexactly(static_cast<std::ptrdiff_t>(reader.buffered_bytes()));
    REQUIRE(theft.await_ready());
    CHECK(theft.await_resume().size() == 3 * turn - before);
    settle();
    CHECK(total == before);
    feed(reader, "abc\n");
    CHECK(total == before + 4);
    task.cancel();
    settle();
  }

  TEST_CASE_FIXTURE(ReaderLoop, "turn: its end is no wait for data, and resumes nothing") {
    const StreamReader reader = make_reader(16);
    reader.feed_data(records_of(16, "\n", 4 * turn));
    CHECK(transport.flow == "P");
    std::size_t total = 0;
    const Task<std::size_t> task =
        loop.create_task(read_all(reader, weir::test::readline(), 4 * turn / 16, &total));
    pass();
    CHECK(total < 4 * turn);
    CHECK(transport.flow == "P");
    settle();
    CHECK(task.done());
    CHECK(transport.flow == "PR");
  }
}
