// Internal: used by the tests of reactor/task.
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/log.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

namespace weir::test {

/// A loop on a kernel in memory. Closes it at the end; what it reported by then, and the test has
/// not taken, fails the test.
class TestLoop {
 public:
  TestLoop() {
    loop.set_exception_handler(
        [this](EventLoop&, const ExceptionContext& report) { reports_.push_back(report); });
  }
  TestLoop(const TestLoop&) = delete;
  TestLoop& operator=(const TestLoop&) = delete;
  ~TestLoop() {
    loop.close();
    for (const ExceptionContext& report : reports_) FAIL_CHECK(to_string(report));
  }

  /// Exactly `count` passes; none of them waits.
  void pass(int count = 1) {
    for (; count > 0; --count) {
      loop.stop();
      loop.run_forever();
    }
  }
  /// Passes until nothing is ready. Timers that are not due stay.
  void settle() {
    while (!loop.ready().empty()) pass();
  }
  /// Passes until nothing is ready, or `reached()` says so.
  template <class F>
  void settle_until(F reached) {
    while (!reached() && !loop.ready().empty()) pass();
  }
  /// Moves the clock, and lets everything happen that is then due.
  void advance(Duration step) {
    kernel.advance(step);
    pass();
    settle();
  }
  /// What was reported since the last call, oldest first.
  std::vector<ExceptionContext> take_reports() { return std::exchange(reports_, {}); }

  FakeKernel kernel;
  EventLoop loop{kernel};

 private:
  std::vector<ExceptionContext> reports_;
};

/// Counts its instances. Has no memory of its own, so that a second destruction only counts. As a
/// parameter of a coroutine it lives exactly as long as the frame.
struct Alive {
  static inline int count = 0;
  Alive() noexcept { ++count; }
  Alive(const Alive&) noexcept { ++count; }
  Alive(Alive&&) noexcept { ++count; }
  Alive& operator=(const Alive&) noexcept = default;
  Alive& operator=(Alive&&) noexcept = default;
  ~Alive() { --count; }
};

/// The text of the CancelledError that `call` throws; fails the test if it throws none.
template <class F>
std::string cancel_message_of(F&& call) {
  try {
    std::forward<F>(call)();
  } catch (const CancelledError& error) {
    return error.message();
  }
  FAIL_CHECK("no CancelledError");
  return "none";
}

}  // namespace weir::test
