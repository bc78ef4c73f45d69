// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>

namespace WEIR_API weir {
namespace testing {

/// One run of a coroutine under a sweep: a loop of its own, over a kernel in memory whose clock
/// moves when everybody waits.
struct SweepRun {
  SweepRun();
  SweepRun(const SweepRun&) = delete;
  SweepRun& operator=(const SweepRun&) = delete;
  ~SweepRun();

  /// Runs what is ready, and what that makes ready; no time passes.
  void settle();
  /// What the loop was told of and nobody else, or who is left on it: a task, a transport, a
  /// listener. Empty if nothing is.
  std::string leftovers() const;

  FakeKernel kernel;
  EventLoop loop{kernel};
  std::vector<std::string> reports;
};

struct CancelSweepOptions {
  std::uint32_t max_points = 1000;  // More await points than this are a failure, too.
  bool may_finish = false;          // A coroutine that is cancelled may return all the same.
};
static_assert(std::is_trivially_destructible_v<CancelSweepOptions>);

namespace detail {

/// How a run ended: nothing if cancelled, else in words.
struct CancelOutcome {
  bool reached = false;  // It got as far as the await point.
  bool finished = false;
  std::string otherwise;
};

using CancelRun = std::function<CancelOutcome(SweepRun& run, std::uint32_t point)>;
std::string sweep_points(const CancelRun& run, const std::function<std::string(SweepRun&)>& check,
                         const CancelSweepOptions& options);

template <class T>
CancelOutcome run_to_end(SweepRun& run, const Task<T>& task, std::uint32_t point) {
  weir::detail::TaskBase& base = static_cast<weir::detail::TaskState<T>&>(task.state());
  base.cancel_at_wait(point);
  std::string otherwise;
  try {
    static_cast<void>(run.loop.run_until_complete(task));
  } catch (const CancelledError&) {
  } catch (...) {
    otherwise = "ends with " + describe(std::current_exception());
  }
  run.settle();
  const bool finished = task.done() && !task.cancelled() && !task.exception();
  if (!task.done()) otherwise = "waits for ever";
  return {base.waits_left() == 0, finished, std::move(otherwise)};
}

}  // namespace detail

/// Runs a coroutine again and again, and cancels it where it waits: the first time at the first
/// await that suspends it, then at the second, until it ends before it gets there. Returns what is
/// wrong, and at which await point; the empty string if nothing is.
///
/// Shape     CHECK(cancel_sweep([](SweepRun& run) { return transfer(run.kernel); },
///                              [&](SweepRun&) { return locked ? "still locked" : ""; }) == "");
///           make(run) gives a new Coro for every run; what it needs besides (peers, timers) it
///           sets up on run.kernel and run.loop. check(run) says what is wrong after a run that was
///           cancelled, or nothing; it may be left out.
/// Errors    Found are: a cancellation that is swallowed, another exception in its place, a
///           coroutine that then waits for ever; a task, transport or listener that is left; what
///           the loop's exception handler was told; an exception of the last run, which nobody
///           cancels.
/// Threads   No loop may run on this one.
/// Cost      As many runs as there are await points, and one.
template <class Make>
std::string cancel_sweep(Make make, const std::function<std::string(SweepRun&)>& check = {},
                         const CancelSweepOptions& options = {}) {
  const auto run_once = [&make](SweepRun& run, std::uint32_t point) {
    return detail::run_to_end(run, run.loop.create_task(make(run)), point);
  };
  return detail::sweep_points(run_once, check, options);
}

}  // namespace testing
}  // namespace weir
