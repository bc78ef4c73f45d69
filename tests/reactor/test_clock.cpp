// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <ratio>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/poller/poller.hpp>

using namespace std::chrono_literals;
using weir::Delay;
using weir::Duration;
using weir::TimePoint;

TEST_SUITE_BEGIN("reactor/clock");

TEST_CASE("Delay: every unit arrives as the same number of nanoseconds") {
  CHECK(Delay(5ms).value() == Duration(5'000'000));
  CHECK(Delay(2h).value() == Duration(7'200'000'000'000));
  CHECK(Delay(std::chrono::duration<double>(0.25)).value() == 250ms);
  CHECK(Delay(std::chrono::duration<float, std::milli>(1.5F)).value() == 1500us);
  CHECK(Delay(std::chrono::duration<int, std::ratio<1, 4>>(3)).value() == 750ms);
}

TEST_CASE("Delay: a constant is computed by the compiler") {
  constexpr Delay delay = 3s;
  static_assert(delay.value() == 3s);
  CHECK(delay.value() == 3s);
}

TEST_CASE("Delay: what is too long for the clock becomes its last duration") {
  CHECK(Delay(std::chrono::hours::max()).value() == Duration::max());
  CHECK(Delay(std::chrono::duration<double>(1e300)).value() == Duration::max());
  CHECK(Delay(std::chrono::duration<double>(std::numeric_limits<double>::infinity())).value() ==
        Duration::max());
  CHECK(Delay(std::chrono::duration<std::uint64_t, std::nano>(UINT64_MAX)).value() ==
        Duration::max());
  CHECK(Delay(Duration::max()).value() == Duration::max());
}

TEST_CASE("Delay: what is too far in the past becomes its first duration") {
  CHECK(Delay(std::chrono::hours::min()).value() == Duration::min());
  CHECK(Delay(std::chrono::duration<double>(-1e300)).value() == Duration::min());
  CHECK(Delay(-std::chrono::duration<double>(std::numeric_limits<double>::infinity())).value() ==
        Duration::min());
  CHECK(Delay(Duration::min()).value() == Duration::min());
}

// In float or double, their product with 10^9 or 10^6 is 2^63: one more than fits.
TEST_CASE("Delay: the last value that fits does not wrap around") {
  CHECK(Delay(std::chrono::duration<float>(9223371776.0F)).value() == 9223371776s);
  CHECK(Delay(std::chrono::duration<double, std::milli>(9223372036854.7753906)).value() >
        292LL * 365 * 24h);
  CHECK(Delay(std::chrono::duration<std::int64_t, std::ratio<1, 30>>(200'000'000'000)).value() ==
        Duration(6'666'666'666'666'666'666));
}

TEST_CASE("Delay: NaN is a ValueError in asyncio's words") {
  CHECK_THROWS_WITH_AS(
      Delay(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())),
      "Invalid delay: NaN (not a number)", weir::ValueError);
}

TEST_CASE("deadline_after: a deadline beyond the clock is its last moment, not one in the past") {
  const TimePoint now = TimePoint(1h);
  CHECK(weir::detail::deadline_after(now, 5ns) == TimePoint(1h + 5ns));
  CHECK(weir::detail::deadline_after(now, Duration::max()) == TimePoint::max());
  CHECK(weir::detail::deadline_after(now, Duration::max() - 1h) == TimePoint::max());
  CHECK(weir::detail::deadline_after(now, Duration::max() - 1h - 1ns) < TimePoint::max());
}

TEST_CASE("deadline_after: a negative delay stops at the first moment of the clock") {
  const TimePoint before_start = TimePoint(-1h);
  CHECK(weir::detail::deadline_after(before_start, -5ns) == TimePoint(-1h - 5ns));
  CHECK(weir::detail::deadline_after(before_start, Duration::min()) == TimePoint::min());
}

TEST_CASE("timeout_ms: any part of a millisecond counts as a whole one") {
  using weir::detail::timeout_ms;
  CHECK(timeout_ms(1ns) == 1);
  CHECK(timeout_ms(999'999ns) == 1);
  CHECK(timeout_ms(1ms) == 1);
  CHECK(timeout_ms(1ms + 1ns) == 2);
  CHECK(timeout_ms(100'400us) == 101);
}

TEST_CASE("timeout_ms: no time-out is -1, and nothing left to wait for is 0") {
  using weir::detail::timeout_ms;
  CHECK(timeout_ms(std::nullopt) == -1);
  CHECK(timeout_ms(0ns) == 0);
  CHECK(timeout_ms(-1ns) == 0);
  CHECK(timeout_ms(Duration::min()) == 0);
}

TEST_CASE("B11: a time-out of more than a day is a day, for poll(2) counts in an int") {
  using weir::detail::timeout_ms;
  CHECK(timeout_ms(24h - 1ms) == 86'399'999);
  CHECK(timeout_ms(24h + 1ns) == 86'400'000);
  CHECK(timeout_ms(2'147'483'648ms) == 86'400'000);
  CHECK(timeout_ms(Duration::max()) == 86'400'000);
}

TEST_SUITE_END();
