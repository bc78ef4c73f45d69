// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <weir/net/socket.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/streams/open_connection.hpp>

#include <tests/streams/stream_fixture.hpp>
#include <tests/support/allocations.hpp>

using weir::Coro;
using weir::StreamReader;
using weir::Streams;
using weir::Task;
using weir::test::ReaderLoop;
using weir::test::said;

namespace {

constexpr std::uint64_t warm_up_lines = 10'000;
constexpr std::uint64_t counted_lines = 100'000;
constexpr std::size_t line_bytes = 40;  // More than a std::string holds inside.

/// Sizes of chunks: less than a line, whole lines, lines and a bit, more than the pools keep.
constexpr std::size_t chunk_sizes[] = {23, 40, 2510, 4090, 60'001, 100'010};

/// An endless stream of lines into a socket, in chunks of one size: most of them end within a line.
class Lines {
 public:
  Lines(int fd, std::size_t chunk_bytes) : fd_(fd), chunk_bytes_(chunk_bytes) {
    while (text_.size() < chunk_bytes + line_bytes) {
      text_ += std::string(line_bytes - 1, 'x') + "\n";
    }
  }
  /// Sends on until another line is there.
  void keep_coming(std::uint64_t lines_read) {
    while (sent_ < (lines_read + 1) * line_bytes) {
      const char* from = text_.data() + sent_ % line_bytes;
      const ssize_t taken = ::send(fd_, from, chunk_bytes_, 0);
      if (taken != static_cast<ssize_t>(chunk_bytes_)) FAIL("the socket is full");
      sent_ += chunk_bytes_;
    }
  }

 private:
  int fd_;
  std::size_t chunk_bytes_;
  std::string text_;
  std::uint64_t sent_ = 0;
};

auto next(const StreamReader& reader, std::string_view*) { return reader.readline_view(); }
auto next(const StreamReader& reader, std::string*) { return reader.readline(); }

/// The allocations of counted_lines lines; nothing if one of them is not what was sent.
template <class Line>
Coro<std::optional<std::uint64_t>> read_lines(StreamReader reader, Lines* lines) {
  std::uint64_t before = 0;
  for (std::uint64_t read = 0; read < warm_up_lines + counted_lines; ++read) {
    if (read == warm_up_lines) before = weir::test::allocations();
    lines->keep_coming(read);
    const Line line = co_await next(reader, static_cast<Line*>(nullptr));
    if (line.size() != line_bytes || line.back() != '\n') co_return std::nullopt;
  }
  co_return weir::test::allocations() - before;
}

/// The allocations of all but the first of `records`, which end in one of three separators.
Coro<std::optional<std::uint64_t>> read_set(StreamReader reader, int records) {
  std::uint64_t before = 0;
  for (int read = 0; read < records; ++read) {
    if (read == 1) before = weir::test::allocations();
    const std::string_view record =
        co_await reader.readuntil_view({"\n\n", "\r\n\r\n", "<end of record>"});
    if (record.empty()) co_return std::nullopt;
  }
  co_return weir::test::allocations() - before;
}

/// The same through a real socket and its transport.
template <class Line>
std::optional<std::uint64_t> count(std::size_t chunk_bytes) {
  weir::EventLoop loop;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  std::optional<std::uint64_t> counted;
  {
    weir::Socket sock(loop.kernel(), fds[0]);
    const Streams streams = loop.run_until_complete(weir::open_connection({.sock = &sock}));
    Lines lines(fds[1], chunk_bytes);
    counted = loop.run_until_complete(read_lines<Line>(streams.reader, &lines));
  }
  loop.close();
  ::close(fds[1]);
  return counted;
}

/// Under sanitizers the pools are off, and every buffer is an allocation: only lines count then.
template <class Line>
void check_counts(std::uint64_t expected) {
  const bool countable = weir::test::pools_are_on();
  if (!countable) MESSAGE("The pools are off: allocations are not counted.");
  for (const std::size_t chunk_bytes : chunk_sizes) {
    INFO("chunks of ", chunk_bytes);
    const std::optional<std::uint64_t> counted = count<Line>(chunk_bytes);
    REQUIRE(counted.has_value());
    if (countable) CHECK(*counted == expected);
  }
}

}  // namespace

TEST_SUITE("streams/reader_allocations") {
  TEST_CASE("readline_view: 100000 lines in steady state cost no allocation") {
    check_counts<std::string_view>(0);
  }

  TEST_CASE("readline: 100000 lines in steady state cost one allocation each, the string") {
    check_counts<std::string>(counted_lines);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil_view: of a set costs no allocation either") {
    const StreamReader reader = make_reader();
    for (int i = 0; i < 100; ++i) reader.feed_data("x\n\ny\r\n\r\nz<end of record>");
    const Task<std::optional<std::uint64_t>> counted = loop.create_task(read_set(reader, 300));
    settle();
    CHECK(counted.result() == 0);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "memory: after a burst an idle reader holds none of it") {
    const StreamReader reader = make_reader();
    run(reader, weir::test::read(0));
    const std::size_t before = weir::test::allocated_bytes();
    reader.feed_data(std::string(1'000'000, 'x'));
    CHECK(weir::test::allocated_bytes() >= before + 1'000'000);
    CHECK(said(run(reader, weir::test::readexactly(1'000'000))).size() == 1'000'002);
    CHECK(weir::test::allocated_bytes() < before + 10'000);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "memory: after a burst a begun record takes its own size") {
    const StreamReader reader = make_reader();
    run(reader, weir::test::read(0));
    const std::size_t before = weir::test::allocated_bytes();
    reader.feed_data(std::string(1'000'000, 'x') + "begun");
    CHECK(said(run(reader, weir::test::readexactly(1'000'000))).size() == 1'000'002);
    CHECK(weir::test::allocated_bytes() < before + 10'000);
    CHECK(reader.state().buffered() == "begun");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "memory: what is left of a lent block is kept in its own size") {
    const StreamReader reader = make_reader();
    run(reader, weir::test::read(0));
    const std::string lent(200'000, 'x');
    const std::size_t before = weir::test::allocated_bytes();
    reader.state().feed_borrowed(lent);
    CHECK(weir::test::allocated_bytes() == before);
    CHECK(said(run(reader, weir::test::readexactly(199'900))).size() == 199'902);
    CHECK(weir::test::allocated_bytes() < before + 10'000);
    CHECK(reader.buffered_bytes() == 100);
  }
}
