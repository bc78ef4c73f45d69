// Internal: used by transports.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>
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

  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }
  std::string_view bytes() const noexcept { return {data_ + begin_, size()}; }

  /// Appending `more` bytes does not throw after this.
  void reserve(std::size_t more) {
    if (more > capacity_ - end_) make_room(more);
  }
  void append(std::string_view more) {
    if (more.empty()) return;  // It may have no address, and memcpy() wants one.
    reserve(more.size());
    std::memcpy(data_ + end_, more.data(), more.size());
    end_ += more.size();
  }
  void consume(std::size_t bytes) noexcept {
    begin_ += bytes;
    if (begin_ == end_) clear();
  }
  void clear() noexcept;
  /// What is left has to wait: it moves to memory of its own, if there is any, so that the thread's
  /// block serves others meanwhile.
  void settle() noexcept;

  /// Of the thread's block: as much as is gathered before a protocol is paused, by default.
  static constexpr std::size_t shared_bytes = 64 * 1024;

 private:
  void make_room(std::size_t more);
  void grow(std::size_t more);
  void move_to(char* block, std::size_t capacity) noexcept;

  char* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace weir::detail
