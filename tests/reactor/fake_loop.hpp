// Internal: used by the tests of the loop.
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

namespace weir::test {

/// Two ends of a stream socket in memory.
struct Ends {
  int ours;
  int theirs;
};

/// For TEST_CASE_FIXTURE: a loop on a fake kernel, closed at the end; what it logs is kept.
class FakeLoop {
 public:
  FakeLoop() {
    loop.set_log_sink([this](LogLevel, std::string_view text) { logged.emplace_back(text); });
  }
  ~FakeLoop() { loop.close(); }
  FakeLoop(const FakeLoop&) = delete;
  FakeLoop& operator=(const FakeLoop&) = delete;

  /// One pass that does not wait.
  void pass() {
    loop.stop();
    loop.run_forever();
  }
  /// A callback that adds `word` to the trace.
  auto note(std::string word) {
    return [this, its = std::move(word)] { trace += its + " "; };
  }
  Ends connect() {
    int fds[2];
    REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
    return {fds[0], fds[1]};
  }
  /// A connection on which one byte has arrived.
  Ends connect_readable() {
    const Ends ends = connect();
    kernel.put(ends.theirs, "x");
    return ends;
  }

  FakeKernel kernel;
  std::string trace;                // What ran, in order.
  std::vector<std::string> logged;  // Without the level.
  EventLoop loop{kernel};           // Last, so that it goes first.
};

/// Something to capture: calls `action` when the last copy goes.
inline std::shared_ptr<void> when_destroyed(std::function<void()> action) {
  return {nullptr, [its = std::move(action)](void*) { its(); }};
}

}  // namespace weir::test
