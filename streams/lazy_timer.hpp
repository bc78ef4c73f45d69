// Internal: used by the deadlines of streams.
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/timer_heap.hpp>

namespace weir::detail {

/// A deadline that is put off all the time and passes seldom. The timer is not moved with it: when
/// it goes off, it asks where the deadline is now. So a stream that is read a thousand times a
/// second arms it once a time-out.
///
/// Errors    due_by() may throw std::bad_alloc, with nothing changed.
/// Lifetime  `owner` holds it. Inert once the loop is closed.
class LazyTimer final : public Timer {
 public:
  /// Does what is due at `now`; returns the next deadline, or nothing for as long as there is none.
  using Look = std::optional<TimePoint> (*)(void* owner, TimePoint now);

  LazyTimer(EventLoop& loop, void* owner, Look look) noexcept
      : Timer(timer_kind), loop_token_(loop.token()), owner_(owner), look_(look) {}
  LazyTimer(const LazyTimer&) = delete;
  LazyTimer& operator=(const LazyTimer&) = delete;
  ~LazyTimer();

  /// It will look at `when`, or earlier.
  void due_by(TimePoint when);
  TimePoint now() const { return loop_token_->loop->time(); }
  bool has_loop() const noexcept { return loop_token_->loop != nullptr; }

 private:
  static const RunnableKind timer_kind;

  Ref<LoopToken> loop_token_;
  void* owner_;
  Look look_;
};

/// "readline() timed out after 5000 ms", as a TimeoutError.
std::exception_ptr make_timeout_error(const std::string& what, Duration after);

}  // namespace weir::detail
