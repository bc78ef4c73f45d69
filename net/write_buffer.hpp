// Internal: used by transports.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::detail {

/// Bytes that wait to be sent: append at the back, consume at the front, one contiguous run in
/// between, so that what was gathered leaves in one send(). Consuming moves an index, never bytes.
///
/// Most buffers are filled and emptied one after the other, while one event is served. They take
/// turns with one block of the thread's, which stays in the cache and never has to grow.
///
/// Errors    append() and reserve() may throw std::bad_alloc, with nothing changed.
/// Cost      Amortised O(1) a byte. No memory while empty. Who finds the thread's block taken has
///           memory of its own: up to 4 KiB come from the thread's pool.
class WriteBuffer {
 public:
  WriteBuffer() = default;
  WriteBuffer(const WriteBuffer&) = delete;
  WriteBuffer& operator=(const WriteBuffer&) = delete;
  ~WriteBuffer() { clear(); }

  std::size_t size() const noexcept { return block_ != nullptr ? block_->end - block_->begin : 0; }
  bool empty() const noexcept { return size() == 0; }
  std::string_view bytes() const noexcept {
    return block_ != nullptr ? block_->filled() : std::string_view();
  }

  /// Appending `more` bytes does not throw after this.
  void reserve(std::size_t more) {
    if (!has_room(more)) make_room(more);
  }
  void append(std::string_view more);
  void consume(std::size_t bytes) noexcept {
    if (bytes == size()) return clear();
    block_->begin += bytes;
  }
  void clear() noexcept;
  /// What is left has to wait: it moves to memory of its own, if there is any, so that the thread's
  /// block serves others meanwhile.
  void settle() noexcept;

  /// Of the thread's block: as much as is gathered before a protocol is paused, by default.
  static constexpr std::size_t shared_bytes = 64 * 1024;

  /// What a buffer knows stands before its bytes, so that an idle one is a pointer.
  struct Block {
    std::size_t capacity;
    std::size_t begin;
    std::size_t end;

    char* memory() noexcept { return reinterpret_cast<char*>(this + 1); }
    std::string_view filled() noexcept { return {memory() + begin, end - begin}; }
  };

 private:
  bool has_room(std::size_t more) const noexcept {
    return block_ != nullptr && more <= block_->capacity - block_->end;
  }
  void take_shared() noexcept;
  void append_growing(std::string_view more);
  void make_room(std::size_t more);
  void grow(std::size_t more);
  void move_to(Block* block) noexcept;

  Block* block_ = nullptr;
};

}  // namespace weir::detail
