// Internal: used by the tests of streams over a transport.
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include <weir/net/socket.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/streams/open_connection.hpp>
#include <weir/streams/stream_reader.hpp>
#include <weir/streams/stream_writer.hpp>

#include <tests/streams/stream_fixture.hpp>

namespace weir::test {

/// Our streams, and the descriptor of the other end, which the kernel of the test drives.
struct Connected {
  Connected(Streams its, int its_theirs)
      : reader(std::move(its.reader)), writer(std::move(its.writer)), theirs(its_theirs) {}
  StreamReader reader;
  StreamWriter writer;
  int theirs;
};

/// For TEST_CASE_FIXTURE: real transports over sockets in memory.
class StreamLoop : public TestLoop {
 public:
  /// `capacity`: how much we can send before the other end reads.
  Connected connect(std::ptrdiff_t limit = default_limit_bytes,
                    std::size_t capacity = FakeKernel::default_capacity_bytes) {
    int fds[2];
    REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
    kernel.set_capacity(fds[0], capacity);
    Socket sock(kernel, fds[0]);
    return {loop.run_until_complete(open_connection({.limit = limit, .sock = &sock})), fds[1]};
  }
  /// Runs as a program does, until nothing more happens; a millisecond goes by. (A pass that stop()
  /// ends would leave what its events have woken for the next one.)
  void turn() {
    loop.call_later(std::chrono::milliseconds(1), [this] { loop.stop(); });
    loop.run_forever();
    settle();
  }
};

}  // namespace weir::test
