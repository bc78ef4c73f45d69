// Internal: used by the reader's state.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// Received, unread bytes: append at the back, consume at the front. They lie either in a block
/// that somebody lends (the loop's receive buffer) or in a buffer of its own, always in one run.
/// What is unread is kept as two positions in the stream, which say the same wherever the bytes
/// lie: whoever remembers a position need not hear of it when they move.
///
/// Errors    append(), settle() and prepend() may throw std::bad_alloc, with nothing changed.
/// Lifetime  What was consumed stays readable until the next append(), prepend(), settle() or
///           trim(): views rest on it.
/// Cost      borrow() copies nothing; otherwise amortised one copy a byte. Up to 4 KiB come from
///           the thread's pool.
class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;
  ~ByteBuffer() { free_own(); }

  std::size_t size() const noexcept { return static_cast<std::size_t>(end_ - position_); }
  bool empty() const noexcept { return end_ == position_; }
  const char* data() const noexcept { return at(position_); }
  std::string_view view() const noexcept { return {data(), size()}; }
  /// How many bytes were consumed in all: the position in the stream of data()[0].
  std::uint64_t position() const noexcept { return position_; }
  /// The position of the first byte that has not come yet.
  std::uint64_t end() const noexcept { return end_; }
  /// Where the byte at `position` lies: one that is unread, or the end.
  const char* at(std::uint64_t position) const noexcept {
    return reinterpret_cast<const char*>(origin_ + static_cast<std::uintptr_t>(position));
  }

  void consume(std::size_t bytes) noexcept { position_ += bytes; }
  void consume_to(std::uint64_t position) noexcept { position_ = position; }

  /// Copies `more` behind what there is.
  void append(std::string_view more);
  /// Uses `lent` where it is; it begins with a copy of what is unread. settle() must come before
  /// the lender takes it back.
  void borrow(std::string_view lent) noexcept {
    lies_at(lent.data());
    end_ = position_ + lent.size();
    borrowed_ = true;
  }
  bool borrowed() const noexcept { return borrowed_; }
  /// Moves what is still unread out of the lent block.
  void settle();
  /// settle() and trim() where that is easy: all of a lent block has been read, and there is no
  /// buffer of its own. False: they remain to be called.
  bool give_back_if_read() noexcept {
    if (!borrowed_ || !empty() || own_ != nullptr) return false;
    borrowed_ = false;
    return true;
  }
  /// Puts `earlier` before what there is: the bytes that were consumed last.
  void prepend(std::string_view earlier);
  /// True when there is memory to give back: nothing is unread, or little in a large block.
  bool wasteful() const noexcept { return position_ >= wasteful_from(); }
  /// The position from which on that is so, if no more is received; `never` for a lent block.
  std::uint64_t wasteful_from() const noexcept {
    if (own_ == nullptr || borrowed_) return never;
    return end_ - (capacity() > small_capacity ? std::min<std::uint64_t>(end_, capacity() / 8) : 0);
  }
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();
  /// Gives that back, unless there is no memory for a smaller block.
  void trim() noexcept;
  /// Unread bytes are lost, and a lent block is left alone from now on.
  void drop() noexcept {
    consume(size());
    borrowed_ = false;
    lies_at(own_);
  }

 private:
  static constexpr std::size_t small_capacity = 4096;  // What the pools keep: pool_max_bytes.

  std::size_t capacity() const noexcept {
    return own_ != nullptr ? std::size_t{1} << capacity_log2_ : 0;
  }
  void lies_at(const char* data) noexcept {
    origin_ = reinterpret_cast<std::uintptr_t>(data) - static_cast<std::uintptr_t>(position_);
  }
  void move_to_new_block(std::string_view before, std::string_view after);
  void free_own() noexcept;

  // Position 0 of the stream would lie here. A number: no pointer may point there.
  std::uintptr_t origin_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t end_ = 0;
  char* own_ = nullptr;
  std::uint8_t capacity_log2_ = 0;  // Of own_.
  bool borrowed_ = false;
};

}  // namespace detail
}  // namespace weir
