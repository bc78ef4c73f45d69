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

#include <tests/support/allocations.hpp>

using weir::Coro;
using weir::StreamReader;
using weir::Streams;

namespace {

constexpr std::uint64_t warm_up_lines = 10'000;
constexpr std::uint64_t counted_lines = 100'000;
constexpr std::size_t line_bytes = 40;  // More than a std::string holds inside.

/// An endless stream of lines into a socket, in chunks of one size: most of them end within a line.
class Lines {
 public:
  Lines(int fd, std::size_t chunk_bytes) : fd_(fd), chunk_bytes_(chunk_bytes) {
    while (text_.size() < chunk_bytes + line_bytes) text_ += std::string(line_bytes - 1, 'x') + "\n";
  }
  /// Sends the next chunk once all that was sent has been read.
  void keep_coming(std::uint64_t lines_read) {
    if ((lines_read + 1) * line_bytes <= sent_) return;
    const char* from = text_.data() + sent_ % line_bytes;
    const ssize_t taken = ::send(fd_, from, chunk_bytes_, 0);
    REQUIRE(taken == static_cast<ssize_t>(chunk_bytes_));
    sent_ += chunk_bytes_;
  }

 private:
  int fd_;
  std::size_t chunk_bytes_;
  std::string text_;
  std::uint64_t sent_ = 0;
};

struct WithView {
  static Coro<std::uint64_t> run(StreamReader reader, Lines* lines) {
    std::uint64_t before = 0;
    for (std::uint64_t read = 0; read < warm_up_lines + counted_lines; ++read) {
      if (read == warm_up_lines) before = weir::test::allocations();
      lines->keep_coming(read);
      const std::string_view line = co_await reader.readline_view();
      if (line.size() != line_bytes) co_return 0;
    }
    co_return weir::test::allocations() - before;
  }
};

struct WithString {
  static Coro<std::uint64_t> run(StreamReader reader, Lines* lines) {
    std::uint64_t before = 0;
    for (std::uint64_t read = 0; read < warm_up_lines + counted_lines; ++read) {
      if (read == warm_up_lines) before = weir::test::allocations();
      lines->keep_coming(read);
      const std::string line = co_await reader.readline();
      if (line.size() != line_bytes) co_return 0;
    }
    co_return weir::test::allocations() - before;
  }
};

/// Allocations for counted_lines lines that come through a transport.
template <class Reading>
std::uint64_t count(std::size_t chunk_bytes) {
  weir::EventLoop loop;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  std::uint64_t counted = 0;
  {
    weir::Socket sock(loop.kernel(), fds[0]);
    const Streams streams = loop.run_until_complete(weir::open_connection({.sock = &sock}));
    Lines lines(fds[1], chunk_bytes);
    counted = loop.run_until_complete(Reading::run(streams.reader, &lines));
  }
  loop.close();
  ::close(fds[1]);
  return counted;
}

}  // namespace
TEST_SUITE("streams/reader_allocations") {
TEST_CASE("x") {
  CHECK(weir::test::pools_are_on());
  for (std::size_t n : {std::size_t{41}, std::size_t{97},std::size_t{40}, std::size_t{2560}, std::size_t{2510},std::size_t{4000},std::size_t{4010},std::size_t{9999},std::size_t{60001}, std::size_t{100010}}) {
    MESSAGE(n << " view " << count<WithView>(n) << " string " << count<WithString>(n));
  }
}
}
