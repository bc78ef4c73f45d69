// Internal: used by transports.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include <weir/net/transport.hpp>

namespace weir::detail {

/// The water marks of one transport, and whether its protocol is paused. Says when to call; does
/// not call. Almost all have the default marks; others lie aside.
///
/// Source    CPython transports.py _FlowControlMixin.
class FlowControl {
 public:
  static constexpr std::size_t default_high_bytes = 64 * 1024;  // CPython transports.py
  static constexpr std::size_t default_low_bytes = default_high_bytes / 4;

  /// ValueError "high (1) must be >= low (2) must be >= 0", or std::bad_alloc; nothing changed.
  void set_limits(std::optional<std::ptrdiff_t> high, std::optional<std::ptrdiff_t> low);
  WriteBufferLimits limits() const noexcept {
    return limits_ ? *limits_ : WriteBufferLimits{default_low_bytes, default_high_bytes};
  }

  bool over(std::size_t size) const noexcept {
    return size > (limits_ ? limits_->high : default_high_bytes);
  }
  bool paused() const noexcept { return paused_; }
  /// True when pause_writing is due; it then counts as called.
  bool should_pause(std::size_t size) noexcept {
    if (paused_ || !over(size)) return false;
    paused_ = true;
    return true;
  }
  /// True when resume_writing is due; it then counts as called.
  bool should_resume(std::size_t size) noexcept {
    if (!paused_ || size > limits().low) return false;
    paused_ = false;
    return true;
  }

 private:
  std::unique_ptr<WriteBufferLimits> limits_;
  bool paused_ = false;
};

}  // namespace weir::detail
