// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/task/awaitable.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future_base.hpp>
#include <weir/reactor/task/outcome.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/task_base.hpp>
#include <weir/reactor/timer_heap.hpp>

namespace WEIR_API weir {

namespace detail {

/// The state behind Timeout: created → active → finished, or active → expiring → expired.
class TimeoutState final : public Timer, public Counted<TimeoutState> {
 public:
  enum class State { created, active, expiring, expired, finished };

  explicit TimeoutState(std::optional<TimePoint> its_deadline) noexcept;
  TimeoutState(const TimeoutState&) = delete;
  TimeoutState& operator=(const TimeoutState&) = delete;
  ~TimeoutState() { disarm(); }
  void destroy() noexcept { delete this; }

  void enter();
  /// What was timed is over, with `error` or without. Throws TimeoutError if that was this
  /// time-out's doing alone.
  void exit(const std::exception_ptr& error);
  /// Its frame is destroyed halfway.
  void abandon() noexcept;
  void reschedule(std::optional<TimePoint> new_deadline);
  const std::optional<TimePoint>& deadline() const noexcept { return deadline_; }
  bool expired() const noexcept { return state_ == State::expiring || state_ == State::expired; }
  std::string describe() const;

 private:
  static const RunnableKind expiry_kind;
  void expire();
  void arm();
  void disarm() noexcept;

  std::optional<TimePoint> deadline_;
  Ref<FutureBase> task_;  // Who entered it.
  std::uint32_t cancelling_before_ = 0;
  State state_ = State::created;
};

/// Leaves the scope also when the frame is destroyed halfway.
class TimeoutGuard {
 public:
  explicit TimeoutGuard(TimeoutState& state) : state_(&state) { state.enter(); }
  TimeoutGuard(const TimeoutGuard&) = delete;
  TimeoutGuard& operator=(const TimeoutGuard&) = delete;
  ~TimeoutGuard() {
    if (state_ != nullptr) state_->abandon();
  }
  void exit(const std::exception_ptr& error) { std::exchange(state_, nullptr)->exit(error); }

 private:
  TimeoutState* state_;
};

template <class A>
Coro<AwaitResult<A>> await_in_timeout(Ref<TimeoutState> state, A awaitable) {
  TimeoutGuard scope(*state);
  Outcome<AwaitResult<A>> result = co_await await_outcome(std::move(awaitable));
  scope.exit(result.exception());
  co_return std::move(result).value();
}
template <class A>
  requires std::is_void_v<AwaitResult<A>>
Coro<> await_in_timeout(Ref<TimeoutState> state, A awaitable) {
  TimeoutGuard scope(*state);
  Outcome<> result = co_await await_outcome(std::move(awaitable));
  scope.exit(result.exception());
  std::move(result).value();
}

}  // namespace detail

/// A deadline around a part of a coroutine, which may be moved meanwhile. A handle: pass it to what
/// it times. Python's `async with timeout(…) as limit:` is run().
///
/// Shape     Timeout limit = timeout(5s);
///           std::string answer = co_await limit.run(talk(reader, limit));
///           // in talk(), at every sign of life:  limit.reschedule(get_running_loop().time() +
///           5s); Scopes may be nested; only the one whose deadline has passed turns the
///           cancellation into a TimeoutError.
/// Threads   The loop's thread.
/// Cost      One allocation; run() takes two frames from the pool.
/// Source    CPython 3.13 timeouts.py Timeout.
class Timeout {
 public:
  /// Without a deadline it never strikes, until it is given one.
  explicit Timeout(std::optional<TimePoint> when);

  /// Awaits `awaitable` under the deadline, once.
  ///
  /// Errors    TimeoutError    the deadline has passed, and the CancelledError that this throws
  ///           into the awaitable came out of it. A deadline in the past lets the awaitable start,
  ///           and strikes at its first suspension; if it never suspends, not at all.
  ///           CancelledError  the task was cancelled from outside as well.
  ///           RuntimeError    "Timeout has already been entered".
  ///           Otherwise what the awaitable throws. One that swallows the cancellation returns its
  ///           value, and expired() is true.
  template <detail::Awaitable A>
  auto run(A awaitable) const {
    return detail::await_in_timeout(state_, detail::owning(std::move(awaitable)));
  }

  /// The deadline, if there is one.
  const std::optional<TimePoint>& when() const noexcept { return state_->deadline(); }
  /// Moves the deadline; without one it does not strike. One in the past strikes in the next pass.
  ///
  /// Errors    RuntimeError "Timeout has not been entered", "Cannot change state of expired
  ///           Timeout".
  void reschedule(std::optional<TimePoint> when) const { state_->reschedule(when); }
  /// Whether the deadline has passed while the awaitable ran.
  bool expired() const noexcept { return state_->expired(); }
  /// For reports: "<Timeout [active] when=12.500>".
  std::string repr() const { return state_->describe(); }

 private:
  detail::Ref<detail::TimeoutState> state_;
};

/// A Timeout that strikes when `delay` has passed, counted from now; never with std::nullopt.
///
/// Errors    RuntimeError "no running event loop".
/// Source    CPython 3.13 timeouts.py timeout.
Timeout timeout(std::optional<Delay> delay);
/// A Timeout that strikes at `when`, on the loop's clock.
///
/// Source    CPython 3.13 timeouts.py timeout_at.
Timeout timeout_at(std::optional<TimePoint> when);

/// `async with timeout(delay): await awaitable`, in one call. Differs from wait_for() in what no
/// time at all does: the awaitable starts, and is cancelled where it first suspends.
template <detail::Awaitable A>
auto timeout(std::optional<Delay> delay, A awaitable) {
  return timeout(delay).run(std::move(awaitable));
}
template <detail::Awaitable A>
auto timeout_at(std::optional<TimePoint> when, A awaitable) {
  return timeout_at(when).run(std::move(awaitable));
}

}  // namespace weir
