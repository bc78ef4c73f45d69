// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/awaitable.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/task_base.hpp>
#include <weir/reactor/timer_heap.hpp>

namespace WEIR_API weir {

namespace detail {

/// Cancels the current task when `delay` has passed, unless it is left before that. Lives in a
/// coroutine's frame.
class Expiry final : public Timer {
 public:
  explicit Expiry(Duration delay);
  Expiry(const Expiry&) = delete;
  Expiry& operator=(const Expiry&) = delete;
  ~Expiry() { disarm(); }

  /// Call once, when what was timed is over. True if its CancelledError was this time-out's doing,
  /// and nobody else has asked for cancellation: it is then a TimeoutError.
  bool left_by_timeout(const std::exception_ptr& error) noexcept;

 private:
  static void expire(Runnable& runnable);
  static const RunnableKind expiry_kind;
  void disarm() noexcept;

  TaskBase& task_;
  std::uint32_t cancelling_before_;
  bool expired_ = false;
};

template <class A>
Coro<AwaitResult<A>> await_with_timeout(A awaitable, Duration timeout) {
  Outcome<AwaitResult<A>> result;
  {
    Expiry expiry(timeout);
    result = co_await await_outcome(std::move(awaitable));
    if (expiry.left_by_timeout(result.exception())) throw TimeoutError();
  }
  co_return std::move(result).value();
}
template <class A>
  requires std::is_void_v<AwaitResult<A>>
Coro<> await_with_timeout(A awaitable, Duration timeout) {
  Expiry expiry(timeout);
  Outcome<> result = co_await await_outcome(std::move(awaitable));
  if (expiry.left_by_timeout(result.exception())) throw TimeoutError();
  std::move(result).value();
}

/// No time at all: a future is cancelled and waited for unless it is done; anything lazy never
/// starts.
template <class A>
Coro<AwaitResult<A>> await_without_time(A awaitable) {
  if constexpr (is_future<A>) {
    const bool was_done = awaitable.done();
    if (!was_done) {
      awaitable.cancel();
      // Cancelled from outside meanwhile, this ends here, and a task goes on with its cleanup.
      co_await UntilDone(awaitable.state());
    }
    Outcome<AwaitResult<A>> result = co_await await_outcome(awaitable);
    if (!was_done && awaitable.cancelled()) throw TimeoutError();
    co_return std::move(result).value();
  } else {
    throw TimeoutError();
    co_return co_await std::move(awaitable);
  }
}

template <class A>
Coro<AwaitResult<A>> await_for(A awaitable, std::optional<Duration> timeout) {
  if (!timeout) return as_coro(std::move(awaitable));
  if (*timeout <= Duration::zero()) return await_without_time(std::move(awaitable));
  return await_with_timeout(std::move(awaitable), *timeout);
}

}  // namespace detail

/// Awaits with a time limit. The awaitable runs in the caller's own task; when the time is up it is
/// cancelled, and what it does about that is waited for.
///
/// Shape     std::string line = co_await wait_for(reader.readline(), 5s);
///           wait_for(x, std::nullopt) never times out.
/// Errors    TimeoutError    the time was up; nothing that was received is lost.
///           CancelledError  the task was cancelled from outside, also when the time was up in the
///           same pass.
///           Otherwise what the awaitable throws. One that swallows the cancellation returns its
///           value.
/// Units     Zero or less: TimeoutError without starting the awaitable; a Future that is done gives
///           its result, one that is not is cancelled and waited for.
/// Cost      Two frames from the pool and one timer in them.
/// Source    CPython 3.12 tasks.py wait_for, timeouts.py Timeout.
template <detail::Awaitable A>
auto wait_for(A awaitable, std::optional<Delay> timeout) {
  return detail::await_for(detail::owning(std::move(awaitable)),
                           timeout ? std::optional(timeout->value()) : std::nullopt);
}

}  // namespace weir
