// Internal: used by the reader's state.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::detail {

/// Received, unread bytes: append at the back, consume at the front. They lie either in a block
/// that somebody lends (the loop's receive buffer) or in a buffer of its own, always in one run.
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

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const char* data() const noexcept { return begin_; }
  std::string_view view() const noexcept { return {begin_, size_}; }
  /// How many bytes were consumed in all: the position in the stream of data()[0].
  std::uint64_t position() const noexcept { return position_; }

  void consume(std::size_t bytes) noexcept {
    begin_ += bytes;
    size_ -= bytes;
    position_ += bytes;
  }

  /// Copies `more` behind what there is.
  void append(std::string_view more);
  /// Uses `lent` where it is; it begins with a copy of what is unread. settle() must come before
  /// the lender takes it back.
  void borrow(std::string_view lent) noexcept {
    begin_ = lent.data();
    size_ = lent.size();
    borrowed_ = true;
  }
  bool borrowed() const noexcept { return borrowed_; }
  /// Moves what is still unread out of the lent block.
  void settle();
  /// Puts `earlier` before what there is: the bytes that were consumed last.
  void prepend(std::string_view earlier);
  /// True when there is memory to give back: nothing is unread, or little in a large block.
  bool wasteful() const noexcept {
    return own_ != nullptr && !borrowed_ &&
           (size_ == 0 || (capacity_ > small_capacity && size_ <= capacity_ / 8));
  }
  /// Gives that back, unless there is no memory for a smaller block.
  void trim() noexcept;
  /// Unread bytes are lost, and a lent block is left alone from now on.
  void drop() noexcept {
    consume(size_);
    begin_ = own_;
    borrowed_ = false;
  }

 private:
  static constexpr std::size_t small_capacity = 4096;  // What the pools keep: pool_max_bytes.

  void move_to_new_block(std::string_view before, std::string_view after);
  void free_own() noexcept;

  const char* begin_ = nullptr;
  std::size_t size_ = 0;
  std::uint64_t position_ = 0;
  char* own_ = nullptr;
  std::size_t capacity_ = 0;
  bool borrowed_ = false;
};

}  // namespace weir::detail
