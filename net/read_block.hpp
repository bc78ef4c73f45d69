// Internal: used by transports, and by StreamReaderProtocol to borrow what it was given.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/poison.hpp>

namespace WEIR_API weir {
namespace detail {

/// The loop's one receive buffer. Every recv() lands here; what arrives stays valid until the event
/// that brought it has been drained, so a reader may borrow it that long instead of copying. Ten
/// thousand connections share one block. Before it there is room for the beginning of a record that
/// came with an earlier event.
///
/// Lifetime  A service of the loop: EventLoop::service<ReadBlock>(). Under AddressSanitizer its
///           bytes are poisoned once the event is drained: a view that is used too late is reported
///           where it is used.
class ReadBlock : private DrainHook {
 public:
  static constexpr std::size_t bytes =
      256 * 1024;  // asyncio's read size: selector_events.py max_size
  static constexpr std::size_t headroom_bytes = 4096;

  explicit ReadBlock(EventLoop& loop)
      : DrainHook([](DrainHook& hook) { static_cast<ReadBlock&>(hook).expire(); }),
        loop_(loop),
        memory_(new char[headroom_bytes + bytes]) {}
  ~ReadBlock() { unpoison(memory_.get(), headroom_bytes + bytes); }

  /// Room for one recv(); what the last one brought is gone.
  std::span<char> room() noexcept {
    if (poisons) unpoison(memory_.get(), headroom_bytes + bytes);
    headroom_free_ = true;
    return {begin(), bytes};
  }
  /// After the receiver was told: it may have borrowed, and asked the loop for its own hook, which
  /// then runs before ours.
  void expire_when_drained() noexcept {
    if (poisons) loop_.when_drained(*this);
  }

  bool holds(const char* at) const noexcept {
    // std::less orders pointers into different objects, too.
    return !std::less<>{}(at, begin()) && std::less<>{}(at, begin() + bytes);
  }

  /// Copies `earlier` right before `arrived`, and returns both as one run. Empty if it does not
  /// fit, if `arrived` is not the beginning of what arrived, or if another reader has done it for
  /// this event.
  std::string_view put_before(std::string_view arrived, std::string_view earlier) noexcept {
    const bool fits = arrived.data() == begin() && earlier.size() <= headroom_bytes;
    if (!fits || !std::exchange(headroom_free_, false)) return {};
    char* const start = begin() - earlier.size();
    std::memcpy(start, earlier.data(), earlier.size());
    return {start, earlier.size() + arrived.size()};
  }

 private:
  char* begin() const noexcept { return memory_.get() + headroom_bytes; }
  void expire() noexcept { poison(memory_.get(), headroom_bytes + bytes); }

  EventLoop& loop_;
  std::unique_ptr<char[]> memory_;  // Not zeroed: pages that no record reaches cost nothing.
  bool headroom_free_ = true;
};

}  // namespace detail
}  // namespace weir
