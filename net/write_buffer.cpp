// SPDX-License-Identifier: MIT
#include <weir/net/write_buffer.hpp>

#include <algorithm>
#include <new>

#include <weir/reactor/pool.hpp>

namespace weir::detail {
namespace {
constexpr std::size_t first_capacity = 512;
}  // namespace

void WriteBuffer::clear() noexcept {
  if (data_ != nullptr) pool_free(data_, capacity_);
  data_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

void WriteBuffer::make_room(std::size_t more) {
  const std::size_t kept = size();
  if (more > static_cast<std::size_t>(PTRDIFF_MAX) - kept) throw std::bad_alloc();
  // Sliding down is worth it only when at least half of the block is free again: each byte then
  // moves once in all.
  if (kept + more <= capacity_ && begin_ >= capacity_ / 2) {
    std::memmove(data_, data_ + begin_, kept);
  } else {
    const std::size_t capacity = std::max({first_capacity, capacity_ * 2, kept + more});
    char* larger = static_cast<char*>(pool_allocate(capacity));
    if (data_ != nullptr) {
      std::memcpy(larger, data_ + begin_, kept);
      pool_free(data_, capacity_);
    }
    data_ = larger;
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = kept;
}

}  // namespace weir::detail
