// SPDX-License-Identifier: MIT
#include <weir/streams/byte_buffer.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include <weir/reactor/pool.hpp>

namespace weir::detail {
namespace {
constexpr std::size_t smallest_capacity = 64;
}  // namespace

void ByteBuffer::free_own() noexcept {
  if (own_ != nullptr) pool_free(own_, capacity());
  own_ = nullptr;
}

/// The only place that allocates: a block with room for all, filled with `before`, what is unread,
/// and `after`.
void ByteBuffer::move_to_new_block(std::string_view before, std::string_view after) {
  const std::size_t kept = size();
  const std::size_t needed = before.size() + kept + after.size();
  if (needed > static_cast<std::size_t>(PTRDIFF_MAX) / 2) throw std::bad_alloc();
  const std::size_t room = std::max(smallest_capacity, std::bit_ceil(needed));
  char* block = static_cast<char*>(pool_allocate(room));
  char* end = std::copy(before.begin(), before.end(), block);
  end = std::copy_n(data(), kept, end);
  std::copy(after.begin(), after.end(), end);
  free_own();
  own_ = block;
  capacity_log2_ = static_cast<std::uint8_t>(std::countr_zero(room));
  borrowed_ = false;
  position_ -= std::min<std::uint64_t>(position_, before.size());
  end_ = position_ + needed;
  lies_at(own_);
}

void ByteBuffer::append(std::string_view more) {
  if (own_ == nullptr || borrowed_) return move_to_new_block({}, more);
  const auto used = static_cast<std::size_t>(data() - own_);
  if (more.size() > capacity() - used - size()) {
    // Sliding down is worth it only when at least half of the block is free again: each byte then
    // moves once in all.
    if (size() + more.size() > capacity() || used < capacity() / 2) {
      return move_to_new_block({}, more);
    }
    std::memmove(own_, data(), size());
    lies_at(own_);
  }
  std::memcpy(own_ + (data() - own_) + size(), more.data(), more.size());
  end_ += more.size();
}

void ByteBuffer::settle() {
  if (!borrowed_) return;
  if (!empty()) {
    if (size() > capacity()) return move_to_new_block({}, {});
    std::memcpy(own_, data(), size());
  }
  borrowed_ = false;
  lies_at(own_);
}

void ByteBuffer::trim() noexcept {
  if (!wasteful()) return;
  if (empty()) return free_own();
  try {
    move_to_new_block({}, {});
  } catch (const std::bad_alloc&) {
  }
}

/// What was put before the beginning of the stream moves all positions: those of more bytes than
/// were consumed.
void ByteBuffer::prepend(std::string_view earlier) {
  if (!earlier.empty()) move_to_new_block(earlier, {});
}

}  // namespace weir::detail
