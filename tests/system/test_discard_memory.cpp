// SPDX-License-Identifier: MIT
//
// discard_until() over a real socket: a record of a gibibyte, and what it costs in memory.

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

#include <weir/net/socket.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/streams/errors.hpp>
#include <weir/streams/open_connection.hpp>

#include <tests/support/allocations.hpp>

namespace {

constexpr std::uint64_t record_bytes = std::uint64_t{1} << 30;
constexpr std::size_t block_bytes = 64 * 1024;
constexpr std::size_t mebibyte = 1 << 20;

std::size_t resident_bytes() {
  std::size_t total = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t taken = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (taken <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(taken));
  }
  return true;
}

/// The most memory that was resident while the record went through, looked at every 16 MiB.
class Sender {
 public:
  explicit Sender(int fd) : fd_(fd), thread_([this] { run(); }) {}
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  ~Sender() { join(); }

  std::size_t join() {
    if (thread_.joinable()) thread_.join();
    return peak_bytes_;
  }

 private:
  void run() {
    const std::string block(block_bytes, 'x');
    for (std::uint64_t sent = 0; sent < record_bytes; sent += block_bytes) {
      if (!send_all(fd_, block)) return;
      if (sent % (16 << 20) == 0) peak_bytes_ = std::max(peak_bytes_, resident_bytes());
    }
    send_all(fd_, "\r\nnext\r\n");
    peak_bytes_ = std::max(peak_bytes_, resident_bytes());
  }

  int fd_;
  std::size_t peak_bytes_ = 0;
  std::thread thread_;
};

struct Found {
  bool overran = false;
  std::uint64_t discarded = 0;
  std::string next;
};

weir::Coro<Found> skip_one(weir::StreamReader reader) {
  Found found;
  try {
    const std::string record = co_await reader.readuntil("\r\n");
  } catch (const weir::LimitOverrunError&) {
    found.overran = true;
  }
  found.discarded = co_await reader.discard_until("\r\n");
  found.next = co_await reader.readuntil("\r\n");
  co_return found;
}

}  // namespace

TEST_SUITE("system/discard_memory" * doctest::timeout(60)) {
  TEST_CASE("discard_until: a record of 1 GiB against a limit of 4 KiB costs less than 1 MiB") {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    weir::EventLoop loop;
    weir::Socket sock(weir::Kernel::posix(), fds[0]);
    const weir::Streams streams =
        loop.run_until_complete(weir::open_connection({.limit = 4096, .sock = &sock}));
    // A record before it: what is made once is there, the receive block with all its pages.
    const std::string warm_up(300 * 1024, 'x');
    std::thread first([&] { send_all(fds[1], warm_up + "\r\n"); });
    const std::uint64_t warm = loop.run_until_complete(streams.reader.discard_until("\r\n"));
    first.join();
    CHECK(warm == warm_up.size() + 2);
    const std::size_t before = resident_bytes();

    Sender sender(fds[1]);
    const Found found = loop.run_until_complete(skip_one(streams.reader));
    const std::size_t peak = sender.join();

    CHECK(found.overran);
    CHECK(found.discarded == record_bytes + 2);
    CHECK(found.next == "next\r\n");
    CHECK(streams.reader.bytes_scanned() == warm + record_bytes + 2 + 6);
    MESSAGE("resident: ", before / 1024, " KiB before, ", peak / 1024, " KiB at the most");
    // A sanitizer keeps what is freed for a while, each buffer as a block of its own.
    const std::size_t bound = weir::test::pools_are_on() ? mebibyte : 64 * mebibyte;
    CHECK(peak < before + bound);
    streams.writer.close();
    loop.close();
    ::close(fds[1]);
  }
}
