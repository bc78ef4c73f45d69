// SPDX-License-Identifier: MIT
#include <weir/net/write_buffer.hpp>

#include <algorithm>
#include <new>
#include <utility>

#include <weir/reactor/poison.hpp>
#include <weir/reactor/pool.hpp>

namespace weir::detail {
namespace {

constexpr std::size_t first_capacity = 512;

/// The thread's block, unless some buffer has it. Trivial, as the lists of the pool are.
struct Shared {
  char* block;
  bool made;   // Once. It is here, or in a buffer.
  bool keeps;  // Until the thread ends.
};
constinit thread_local Shared shared{};

struct Closer {
  Closer() = default;
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;
  ~Closer() {
    shared.keeps = false;
    if (shared.block != nullptr) pool_free(shared.block, WriteBuffer::shared_bytes);
    shared.block = nullptr;
  }
  void touch() noexcept {}
};
thread_local Closer closer;

/// Null if another buffer has it.
char* make_shared_block() {
  // AddressSanitizer is to see where a buffer of its own ends.
  if (shared.made || poisons) return nullptr;
  closer.touch();  // A thread_local is made, and its destructor registered, at its first use.
  char* const block = static_cast<char*>(pool_allocate(WriteBuffer::shared_bytes));
  shared.made = shared.keeps = true;
  return block;
}

void release(char* block, std::size_t capacity) noexcept {
  // One that has grown to this size is as good.
  const bool fits = capacity == WriteBuffer::shared_bytes;
  if (!fits || !shared.keeps || shared.block != nullptr) return pool_free(block, capacity);
  shared.block = block;
}

}  // namespace

void WriteBuffer::clear() noexcept {
  char* const block = std::exchange(data_, nullptr);
  const std::size_t capacity = std::exchange(capacity_, 0);
  begin_ = end_ = 0;
  if (block != nullptr) release(block, capacity);
}

void WriteBuffer::settle() noexcept {
  if (capacity_ != shared_bytes) return;
  const std::size_t capacity = std::max(first_capacity, size());
  char* own = nullptr;
  try {
    own = static_cast<char*>(pool_allocate(capacity));
  } catch (const std::bad_alloc&) {  // Then it stays where it is.
    return;
  }
  move_to(own, capacity);
}

/// Another block, large enough for what there is.
void WriteBuffer::move_to(char* block, std::size_t capacity) noexcept {
  const std::size_t kept = size();
  if (data_ != nullptr) {
    std::memcpy(block, data_ + begin_, kept);
    release(data_, capacity_);
  }
  data_ = block;
  capacity_ = capacity;
  begin_ = 0;
  end_ = kept;
}

void WriteBuffer::make_room(std::size_t more) {
  if (data_ != nullptr || more > shared_bytes) return grow(more);
  data_ = std::exchange(shared.block, nullptr);
  if (data_ == nullptr) [[unlikely]]
    data_ = make_shared_block();
  if (data_ == nullptr) return grow(more);
  capacity_ = shared_bytes;
}

void WriteBuffer::grow(std::size_t more) {
  const std::size_t kept = size();
  if (more > static_cast<std::size_t>(PTRDIFF_MAX) - kept) throw std::bad_alloc();
  // Sliding down is worth it only when at least half of the block is free again: each byte then
  // moves once in all.
  if (kept + more <= capacity_ && begin_ >= capacity_ / 2) {
    std::memmove(data_, data_ + begin_, kept);
    begin_ = 0;
    end_ = kept;
    return;
  }
  const std::size_t capacity = std::max({first_capacity, capacity_ * 2, kept + more});
  move_to(static_cast<char*>(pool_allocate(capacity)), capacity);
}

}  // namespace weir::detail
