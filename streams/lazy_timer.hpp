// Internal: used by the deadlines of streams.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <optional>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/held_timer.hpp>
#include <weir/reactor/timer_heap.hpp>

namespace WEIR_API weir {
namespace detail {

/// A deadline that is put off all the time and passes seldom. The timer is not moved with it: when
/// it goes off, it asks where the deadline is now. So a stream that is read a thousand times a
/// second arms it once a time-out.
///
/// Errors    std::bad_alloc, when it is made; due_by() needs no memory.
/// Lifetime  `owner` holds it. Inert once the loop is closed.
class LazyTimer final : public HeldTimer {
 public:
  /// Does what is due at `now`; returns the next deadline, or nothing for as long as there is none.
  using Look = std::optional<TimePoint> (*)(void* owner, TimePoint now);

  LazyTimer(EventLoop& loop, void* owner, Look look)
      : HeldTimer(loop, timer_kind), owner_(owner), look_(look) {}
  LazyTimer(const LazyTimer&) = delete;
  LazyTimer& operator=(const LazyTimer&) = delete;
  ~LazyTimer() = default;

  /// It will look at `when`, or earlier.
  void due_by(TimePoint when) noexcept;

 private:
  static const RunnableKind timer_kind;
  void* owner_;
  Look look_;
};

/// "drain() timed out after 5000 ms", as a TimeoutError, for "drain", or another `form` of words;
/// std::bad_alloc where there is no memory for the text.
std::exception_ptr make_timeout_error(const char* what, Duration after,
                                      const char* form = "() timed out after ") noexcept;

}  // namespace detail
}  // namespace weir
