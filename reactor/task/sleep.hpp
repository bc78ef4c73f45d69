// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <source_location>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/promise.hpp>
#include <weir/reactor/task/task_base.hpp>
#include <weir/reactor/timer_heap.hpp>

namespace WEIR_API weir {

namespace detail {
/// A task that sleeps: a timer in the coroutine's frame.
struct SleepWait final : Timer, Parked {
  SleepWait() noexcept : Timer(wake_kind), Parked(parked_kind) {}
  void park(Duration delay, PromiseBase& waiter);

 private:
  void arm(Duration delay);
  static const RunnableKind wake_kind;
  static const Parked::Kind parked_kind;
};

}  // namespace detail

/// What sleep() returns. Awaited again, it sleeps again; by two tasks at a time it cannot be.
class [[nodiscard]] Sleep {
 public:
  explicit Sleep(Duration delay) noexcept : delay_(delay) {}
  Sleep(const Sleep& other) noexcept : Sleep(other.delay_) {}
  Sleep& operator=(const Sleep&) = delete;
  ~Sleep() = default;

  bool await_ready() const noexcept { return false; }
  template <detail::WeirPromise P>
  void await_suspend(std::coroutine_handle<P> waiter,
                     std::source_location at = std::source_location::current()) {
    waiter.promise().awaits_at = at;
    wait_.park(delay_, waiter.promise());
  }
  void await_resume() const {
    if (wait_.cancelled) detail::throw_cancelled(wait_.task->cancel_text());
  }

 private:
  Duration delay_;
  detail::SleepWait wait_;
};

/// Lets `delay` pass. Zero or less gives up exactly one pass.
///
/// Shape     co_await sleep(5ms);   co_await sleep(std::chrono::duration<double>(0.5));
/// Errors    CancelledError, the timer gone. ValueError "Invalid delay: NaN (not a number)".
///           RuntimeError "coroutine is being awaited already".
/// Threads   In a task.
/// Cost      No allocation: the timer lives in the coroutine's frame. O(log n) of the timers armed.
/// Source    CPython 3.13 tasks.py sleep.
inline Sleep sleep(Delay delay) noexcept { return Sleep(delay.value()); }

}  // namespace weir
