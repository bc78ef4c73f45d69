// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <limits>
#include <ratio>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// All of weir's durations and deadlines: nanoseconds of a monotonic clock (292 years reach from
/// either end).
using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

namespace detail {
/// Throws ValueError "Invalid delay: NaN (not a number)". Out of line: the only cold line of Delay.
[[noreturn]] void throw_nan_delay();
}  // namespace detail

/// How long to wait: any std::chrono duration, converted so that nothing can overflow.
///
/// Shape     `sleep(5ms)`, `sleep(std::chrono::duration<double>(0.25))`,
///           `call_later(std::chrono::hours::max(), …)`.
/// Units     Nanoseconds inside. What does not fit is clamped to Duration::min() or
///           Duration::max().
/// Errors    ValueError  a floating-point duration is NaN.
/// Source    CPython 3.13 tasks.py sleep (the NaN text).
class Delay {
 public:
  template <class Rep, class Period>
  constexpr Delay(std::chrono::duration<Rep, Period> delay)
      : value_(clamp(delay)) {}  // NOLINT: implicit by design

  constexpr Duration value() const noexcept { return value_; }

 private:
  template <class Rep, class Period>
  static constexpr Duration clamp(std::chrono::duration<Rep, Period> delay) {
    // Compared as long double: wide enough for every integer of 64 bits, and a comparison cannot
    // overflow.
    const auto wide = std::chrono::duration<long double, std::nano>(delay).count();
    if (wide != wide) detail::throw_nan_delay();
    if (wide >= static_cast<long double>(Duration::max().count())) return Duration::max();
    if (wide <= static_cast<long double>(Duration::min().count())) return Duration::min();
    // duration_cast computes in Rep, or in integers before a division: there it could pass the end
    // after all.
    constexpr bool whole_steps = !std::chrono::treat_as_floating_point_v<Rep> &&
                                 std::ratio_divide<Period, std::nano>::den == 1;
    if constexpr (whole_steps) return std::chrono::duration_cast<Duration>(delay);
    return Duration(static_cast<Duration::rep>(wide));
  }

  Duration value_;
};

namespace detail {
/// `from + delay`, clamped to the ends of the clock: a huge delay is "never", not a deadline in the
/// past.
constexpr TimePoint deadline_after(TimePoint from, Duration delay) noexcept {
  const Duration since = from.time_since_epoch();
  if (delay > Duration::zero() && since > Duration::max() - delay) return TimePoint::max();
  if (delay < Duration::zero() && since < Duration::min() - delay) return TimePoint::min();
  return from + delay;
}

}  // namespace detail

}  // namespace weir
