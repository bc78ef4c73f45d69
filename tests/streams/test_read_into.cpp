// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tests/streams/stream_fixture.hpp>
#include <tests/support/allocations.hpp>

using weir::Coro;
using weir::StreamReader;
using weir::Task;
using weir::test::ReaderLoop;
using weir::test::said;

namespace {

/// The string when all is read: what came, or what it held before a call that threw.
Coro<std::string> collect_lines(StreamReader reader, std::string* into) {
  std::string all;
  while (const std::size_t size = co_await reader.readline_into(*into)) {
    all += "[" + *into + "]";
    if (size != into->size()) all += "wrong size";
  }
  co_return all;
}

/// The allocations of all but the first `warm_up` records.
Coro<std::uint64_t> count_allocations(StreamReader reader, int warm_up, int records) {
  std::string into;
  std::uint64_t before = 0;
  for (int read = 0; read < records; ++read) {
    if (read == warm_up) before = weir::test::allocations();
    const std::size_t size = co_await reader.readuntil_into(into, "\r\n");
    if (size == 0) co_return 0;
  }
  co_return weir::test::allocations() - before;
}

}  // namespace

// That they find, wait and fail as the forms without `_into` do, reader_scripts and record_limit
// say.
TEST_SUITE("streams/read_into") {
  TEST_CASE_FIXTURE(ReaderLoop, "readline_into: replaces what the string held, longer or shorter") {
    const StreamReader reader = make_reader();
    std::string into = "what was there before";
    const Task<std::string> lines = loop.create_task(collect_lines(reader, &into));
    feed(reader, "a\n" + std::string(40, 'b') + "\nc\n\n" + std::string(20, 'd'));
    reader.feed_eof();
    settle();
    CHECK(lines.result() ==
          "[a\n][" + std::string(40, 'b') + "\n][c\n][\n][" + std::string(20, 'd') + "]");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readline_into: at the end of the stream the string is empty") {
    const StreamReader reader = make_reader();
    std::string into = "before";
    const Task<std::size_t> size = loop.create_task(reader.readline_into(into));
    reader.feed_eof();
    settle();
    CHECK(size.result() == 0);
    CHECK(into.empty());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "_into: every length from 0 to 100 arrives in every other") {
    std::string source;
    for (int i = 0; i < 100; ++i) source += static_cast<char>('!' + i % 90);
    for (std::size_t before = 0; before <= 100; ++before) {
      for (std::size_t length = 0; length <= 100; ++length) {
        const StreamReader reader(loop);
        reader.feed_data(source);
        std::string into(before, '#');
        auto read = reader.readexactly_into(into, static_cast<std::ptrdiff_t>(length));
        REQUIRE(read.await_ready());
        REQUIRE(read.await_resume() == length);
        REQUIRE(into == source.substr(0, length));
      }
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "_into: a read that fails leaves the string as it was") {
    std::string into = "before";
    const StreamReader reader = make_reader(3);
    reader.feed_data("abcdef\nx");
    const Task<std::size_t> overrun = loop.create_task(reader.readuntil_into(into));
    settle();
    CHECK(said(overrun.exception()) == "LOE-found(6)");
    const Task<std::size_t> any = loop.create_task(reader.readuntil_into(into, {"\n", ";"}));
    settle();
    CHECK(said(any.exception()) == "LOE-found(6)");
    const Task<std::size_t> line = loop.create_task(reader.readline_into(into));
    settle();
    CHECK(said(line.exception()) == "ValueError: found");
    const Task<std::size_t> bytes = loop.create_task(reader.readexactly_into(into, 5));
    reader.feed_eof();
    settle();
    CHECK(said(bytes.exception()) == R"(IRE("x", 5))");
    CHECK(into == "before");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "_into: a read that is cancelled leaves the string as it was") {
    std::string into = "before";
    const StreamReader reader = make_reader();
    reader.feed_data("abc");
    const Task<std::size_t> line = loop.create_task(reader.readline_into(into));
    settle();
    line.cancel();
    settle();
    CHECK(line.cancelled());
    CHECK(into == "before");
    CHECK(reader.state().buffered() == "abc");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read_view, read_into: give what there is, up to n bytes") {
    const StreamReader reader = make_reader();
    reader.feed_data("abcdefgh");
    std::string into = "what was there before";
    const Task<std::size_t> some = loop.create_task(reader.read_into(into, 3));
    settle();
    CHECK(some.result() == 3);
    CHECK(into == "abc");
    auto rest = reader.read_view(100);
    REQUIRE(rest.await_ready());
    CHECK(rest.await_resume() == "defgh");
    auto none = reader.read_view(0);
    REQUIRE(none.await_ready());
    CHECK(none.await_resume().empty());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read_into: waits for the first bytes; at the end it is empty") {
    const StreamReader reader = make_reader();
    std::string into = "before";
    const Task<std::size_t> some = loop.create_task(reader.read_into(into, 100));
    settle();
    CHECK_FALSE(some.done());
    feed(reader, "ab");
    settle();
    CHECK(into == "ab");
    const Task<std::size_t> end = loop.create_task(reader.read_into(into, 100));
    reader.feed_eof();
    settle();
    CHECK(end.result() == 0);
    CHECK(into.empty());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read_view, read_into: refuse to read everything") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc");
    std::string into = "before";
    const Task<std::size_t> all = loop.create_task(reader.read_into(into, -1));
    settle();
    CHECK(said(all.exception()) == "ValueError: read size can not be less than zero");
    CHECK(into == "before");
    const Task<std::string_view> view = loop.create_task(reader.read_view(-1));
    settle();
    CHECK(said(view.exception()) == "ValueError: read size can not be less than zero");
    CHECK(reader.buffered_bytes() == 3);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read_into: a stored exception is thrown, and nothing taken") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc");
    reader.set_exception(weir::ValueError("stored"));
    std::string into = "before";
    const Task<std::size_t> some = loop.create_task(reader.read_into(into, 10));
    settle();
    CHECK(said(some.exception()) == "ValueError: stored");
    CHECK(into == "before");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "_into: takes a limit for the call") {
    std::string into;
    const StreamReader reader = make_reader(3);
    reader.feed_data("abcdef\nghijkl;mnopqr\n");
    const Task<std::size_t> one = loop.create_task(reader.readuntil_into(into, "\n", {.limit = 6}));
    settle();
    CHECK(into == "abcdef\n");
    const Task<std::size_t> any =
        loop.create_task(reader.readuntil_into(into, {";", "\n"}, {.limit = 6}));
    settle();
    CHECK(into == "ghijkl;");
    const Task<std::size_t> line = loop.create_task(reader.readline_into(into, {.limit = 6}));
    settle();
    CHECK(into == "mnopqr\n");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil_into: in steady state costs no allocation") {
    const StreamReader reader = make_reader();
    for (int i = 0; i < 200; ++i) {
      reader.feed_data(std::string(static_cast<std::size_t>(20 + i % 100), 'x') + "\r\n");
    }
    const Task<std::uint64_t> counted = loop.create_task(count_allocations(reader, 100, 200));
    settle();
    CHECK(counted.result() == 0);
  }
}
