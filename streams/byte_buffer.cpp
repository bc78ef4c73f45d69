// SPDX-License-Identifier: MIT
#include <weir/streams/byte_buffer.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include <weir/reactor/pool.hpp>

namespace weir::detail {
namespace {
constexpr std::size_t first_capacity = 64;
}  // namespace

void ByteBuffer::free_own() noexcept {
  if (own_ != nullptr) pool_free(own_, capacity_);
  own_ = nullptr;
  capacity_ = 0;
}

/// The only place that allocates: a block with room for all, filled with `before`, what is unread,
/// and `after`.
void ByteBuffer::move_to_new_block(std::string_view before, std::string_view after) {
  const std::size_t needed = before.size() + size_ + after.size();
  if (needed > static_cast<std::size_t>(PTRDIFF_MAX) / 2) throw std::bad_alloc();
  const std::size_t capacity = std::max(first_capacity, std::bit_ceil(needed));
  char* block = static_cast<char*>(pool_allocate(capacity));
  char* end = std::copy(before.begin(), before.end(), block);
  end = std::copy_n(begin_, size_, end);
  std::copy(after.begin(), after.end(), end);
  free_own();
  own_ = block;
  capacity_ = capacity;
  begin_ = block;
  size_ = needed;
  borrowed_ = false;
}

void ByteBuffer::append(std::string_view more) {
  if (own_ == nullptr || borrowed_) return move_to_new_block({}, more);
  const auto used = static_cast<std::size_t>(begin_ - own_);
  if (more.size() > capacity_ - used - size_) {
    // Sliding down is worth it only when at least half of the block is free again: each byte then
    // moves once in all.
    if (size_ + more.size() > capacity_ || used < capacity_ / 2) return move_to_new_block({}, more);
    std::memmove(own_, begin_, size_);
    begin_ = own_;
  }
  std::memcpy(const_cast<char*>(begin_) + size_, more.data(), more.size());
  size_ += more.size();
}

void ByteBuffer::settle() {
  if (!borrowed_) return;
  if (size_ != 0) {
    if (size_ > capacity_) return move_to_new_block({}, {});
    std::memcpy(own_, begin_, size_);
  }
  borrowed_ = false;
  begin_ = own_;
}

void ByteBuffer::trim() noexcept {
  if (!wasteful()) return;
  if (size_ == 0) return free_own();
  try {
    move_to_new_block({}, {});
  } catch (const std::bad_alloc&) {
  }
}

void ByteBuffer::prepend(std::string_view earlier) {
  if (earlier.empty()) return;
  move_to_new_block(earlier, {});
  position_ -= std::min<std::uint64_t>(position_, earlier.size());
}

}  // namespace weir::detail
