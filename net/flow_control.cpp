// SPDX-License-Identifier: MIT
#include <weir/net/flow_control.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

#include <weir/reactor/error.hpp>

namespace weir::detail {
namespace {

/// Rounded down, for negative numbers too, as Python's // does: -5 gives -2, and the error text
/// says so.
std::ptrdiff_t quarter(std::ptrdiff_t value) { return value / 4 - (value % 4 < 0 ? 1 : 0); }

/// Python's numbers have no end; ours stop at theirs.
std::ptrdiff_t four_times(std::ptrdiff_t value) {
  return value > PTRDIFF_MAX / 4 ? PTRDIFF_MAX : 4 * std::max(value, PTRDIFF_MIN / 4);
}

}  // namespace

void FlowControl::set_limits(std::optional<std::ptrdiff_t> high,
                             std::optional<std::ptrdiff_t> low) {
  const auto default_high = static_cast<std::ptrdiff_t>(default_high_bytes);
  if (!high) high = low ? four_times(*low) : default_high;
  if (!low) low = quarter(*high);
  if (*high < *low || *low < 0) {
    throw ValueError("high (" + std::to_string(*high) + ") must be >= low (" +
                     std::to_string(*low) + ") must be >= 0");
  }
  const WriteBufferLimits wanted{static_cast<std::size_t>(*low), static_cast<std::size_t>(*high)};
  if (limits_) {
    *limits_ = wanted;
  } else if (wanted.low != default_low_bytes || wanted.high != default_high_bytes) {
    limits_ = std::make_unique<WriteBufferLimits>(wanted);
  }
}

}  // namespace weir::detail
