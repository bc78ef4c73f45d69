// Internal: used by transports, and by StreamReaderProtocol to borrow what it was given.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/poison.hpp>

namespace weir::detail {

/// The loop's one receive buffer. Every recv() lands here; what arrives stays valid until the event that brought it has
/// been drained, so a reader may borrow it that long instead of copying. Ten thousand connections share one block.
///
/// Lifetime  A service of the loop: EventLoop::service<ReadBlock>(). Under AddressSanitizer its bytes are poisoned once the
///           event is drained: a view that is used too late is reported where it is used.
class ReadBlock : private DrainHook {
 public:
  static constexpr std::size_t bytes = 256 * 1024;  // asyncio's read size: selector_events.py max_size

  explicit ReadBlock(EventLoop& loop)
      : DrainHook([](DrainHook& hook) { static_cast<ReadBlock&>(hook).expire(); }),
        loop_(loop),
        memory_(new char[bytes]) {}
  ~ReadBlock() { unpoison(memory_.get(), bytes); }

  /// Room for one recv(); what the last one brought is gone.
  std::span<char> room() noexcept {
    unpoison(memory_.get(), bytes);
    return {memory_.get(), bytes};
  }
  /// After the receiver was told: it may have borrowed, and asked the loop for its own hook, which then runs before ours.
  void expire_when_drained() noexcept { loop_.when_drained(*this); }

  bool holds(const char* at) const noexcept {
    // std::less orders pointers into different objects, too.
    return !std::less<>{}(at, memory_.get()) && std::less<>{}(at, memory_.get() + bytes);
  }

 private:
  void expire() noexcept { poison(memory_.get(), bytes); }

  EventLoop& loop_;
  std::unique_ptr<char[]> memory_;  // Not zeroed: pages that no record reaches cost nothing.
};

}  // namespace weir::detail
