// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <weir/net/flow_control.hpp>
#include <weir/reactor/error.hpp>

using weir::ValueError;
using weir::detail::FlowControl;

namespace {

using Limit = std::optional<std::ptrdiff_t>;

/// "low high" after set_limits(), or the error.
std::string limits_after(Limit high, Limit low) {
  FlowControl flow;
  try {
    flow.set_limits(high, low);
  } catch (const ValueError& error) {
    return error.what();
  }
  return std::to_string(flow.limits().low) + " " + std::to_string(flow.limits().high);
}

}  // namespace

TEST_SUITE_BEGIN("net/flow_control");

// CPython: test_transports.py test_flowcontrol_mixin_set_write_limits
TEST_CASE("set_limits: what is not given follows from what is") {
  CHECK(limits_after({}, {}) == "16384 65536");
  CHECK(limits_after(1024, {}) == "256 1024");
  CHECK(limits_after({}, 1024) == "1024 4096");
  CHECK(limits_after(1024, 128) == "128 1024");
  CHECK(limits_after(100, 100) == "100 100");
  CHECK(limits_after(0, {}) == "0 0");
  CHECK(limits_after({}, 0) == "0 0");
  CHECK(limits_after(7, {}) == "1 7");
}

// redis 4cb5ad85a: a limit of 1 MB that a slip made 1 GB.
TEST_CASE("B50: the marks are 16 KiB and 64 KiB unless said otherwise") {
  const FlowControl flow;
  CHECK(flow.limits().low == 16'384);
  CHECK(flow.limits().high == 65'536);
  CHECK_FALSE(flow.over(65'536));
  CHECK(flow.over(65'537));
}

TEST_CASE("set_limits: marks in the wrong order are refused with asyncio's text") {
  CHECK(limits_after(1, 2) == "high (1) must be >= low (2) must be >= 0");
  CHECK(limits_after(0, 1) == "high (0) must be >= low (1) must be >= 0");
  CHECK(limits_after(1, -1) == "high (1) must be >= low (-1) must be >= 0");
}

TEST_CASE("set_limits: a quarter of a negative mark is rounded down") {
  CHECK(limits_after(-1, {}) == "high (-1) must be >= low (-1) must be >= 0");
  CHECK(limits_after(-4, {}) == "high (-4) must be >= low (-1) must be >= 0");
  CHECK(limits_after(-5, {}) == "high (-5) must be >= low (-2) must be >= 0");
  CHECK(limits_after({}, -3) == "high (-12) must be >= low (-3) must be >= 0");
}

TEST_CASE("set_limits: the largest and the smallest numbers do not overflow") {
  CHECK(limits_after(PTRDIFF_MAX, {}) == "2305843009213693951 9223372036854775807");
  CHECK(limits_after({}, PTRDIFF_MAX) == "9223372036854775807 9223372036854775807");
  CHECK(limits_after(PTRDIFF_MIN, {}) ==
        "high (-9223372036854775808) must be >= low (-2305843009213693952) must be >= 0");
  CHECK(limits_after({}, PTRDIFF_MIN).find("low (-9223372036854775808)") != std::string::npos);
}

TEST_CASE("set_limits: refused marks leave the old ones") {
  FlowControl flow;
  flow.set_limits(100, 10);
  CHECK_THROWS_AS(flow.set_limits(1, 2), ValueError);
  CHECK(flow.limits().high == 100);
  CHECK(flow.limits().low == 10);
}

TEST_CASE("should_pause: above the high mark, not at it, and once") {
  FlowControl flow;
  flow.set_limits(100, 10);
  CHECK_FALSE(flow.over(100));
  CHECK(flow.over(101));
  CHECK_FALSE(flow.should_pause(100));
  CHECK(flow.should_pause(101));
  CHECK(flow.paused());
  CHECK_FALSE(flow.should_pause(1000));
}

TEST_CASE("should_resume: at the low mark or below, and once") {
  FlowControl flow;
  flow.set_limits(100, 10);
  CHECK_FALSE(flow.should_resume(0));  // Not paused.
  REQUIRE(flow.should_pause(101));
  CHECK_FALSE(flow.should_resume(11));
  CHECK(flow.should_resume(10));
  CHECK_FALSE(flow.paused());
  CHECK_FALSE(flow.should_resume(0));
}

TEST_CASE("should_pause: with a high mark of 0 every byte pauses, and only 0 resumes") {
  FlowControl flow;
  flow.set_limits(0, {});
  CHECK_FALSE(flow.should_pause(0));
  CHECK(flow.should_pause(1));
  CHECK_FALSE(flow.should_resume(1));
  CHECK(flow.should_resume(0));
}

TEST_SUITE_END();
