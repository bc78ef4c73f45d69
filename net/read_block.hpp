// Internal: used by transports, and by StreamReaderProtocol to borrow what it was given.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

namespace weir {
class EventLoop;
}  // namespace weir

namespace weir::detail {

/// The loop's one receive buffer. Every recv() lands here; what arrives stays valid until the event that brought it has
/// been drained, so a reader may borrow it that long instead of copying. Ten thousand connections share one block.
///
/// Lifetime  A service of the loop: EventLoop::service<ReadBlock>().
class ReadBlock {
 public:
  static constexpr std::size_t bytes = 256 * 1024;  // asyncio's read size: selector_events.py max_size

  explicit ReadBlock(EventLoop&) : memory_(new char[bytes]) {}

  std::span<char> room() noexcept { return {memory_.get(), bytes}; }
  bool holds(const char* at) const noexcept {
    // std::less orders pointers into different objects, too.
    return !std::less<>{}(at, memory_.get()) && std::less<>{}(at, memory_.get() + bytes);
  }

 private:
  std::unique_ptr<char[]> memory_;  // Not zeroed: pages that no record reaches cost nothing.
};

}  // namespace weir::detail
