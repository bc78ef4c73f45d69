// SPDX-License-Identifier: MIT
#include <weir/net/write_buffer.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include <weir/reactor/poison.hpp>
#include <weir/reactor/pool.hpp>

namespace weir::detail {
namespace {

using Block = WriteBuffer::Block;

constexpr std::size_t first_bytes = 512;
constexpr std::size_t first_capacity = first_bytes - sizeof(Block);

Block* make_block(std::size_t capacity) {
  return ::new (pool_allocate(sizeof(Block) + capacity)) Block{capacity, 0, 0};
}

void free_block(Block* block) noexcept { pool_free(block, sizeof(Block) + block->capacity); }

/// The thread's block, unless some buffer has it. Trivial, as the lists of the pool are.
struct Shared {
  Block* block;
  bool made;   // Once. It is here, or in a buffer.
  bool keeps;  // Until the thread ends.
};
[[gnu::tls_model("initial-exec")]] constinit thread_local Shared shared{};

struct Closer {
  Closer() = default;
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;
  ~Closer() {
    shared.keeps = false;
    if (shared.block != nullptr) free_block(shared.block);
    shared.block = nullptr;
  }
  void touch() noexcept {}
};
thread_local Closer closer;

/// Null if another buffer has it.
[[gnu::noinline]] Block* make_shared_block() {
  // AddressSanitizer is to see where a buffer of its own ends.
  if (shared.made || poisons) return nullptr;
  closer.touch();  // A thread_local is made, and its destructor registered, at its first use.
  Block* const block = make_block(WriteBuffer::shared_bytes);
  shared.made = shared.keeps = true;
  return block;
}

inline void release(Block* block) noexcept {
  // One that has grown to this size is as good.
  const bool fits = block->capacity == WriteBuffer::shared_bytes;
  if (!fits || !shared.keeps || shared.block != nullptr) return free_block(block);
  shared.block = block;
}

}  // namespace

void WriteBuffer::clear() noexcept {
  if (block_ != nullptr) release(std::exchange(block_, nullptr));
}

void WriteBuffer::settle() noexcept {
  if (block_ == nullptr || block_->capacity != shared_bytes) return;
  try {
    move_to(make_block(std::max(first_capacity, size())));
  } catch (const std::bad_alloc&) {  // Then it stays where it is.
  }
}

/// Another block, large enough for what there is.
void WriteBuffer::move_to(Block* block) noexcept {
  if (block_ != nullptr) {
    const std::string_view kept = block_->filled();
    std::memcpy(block->memory(), kept.data(), kept.size());
    block->end = kept.size();
    release(block_);
  }
  block_ = block;
}

void WriteBuffer::make_room(std::size_t more) {
  if (block_ != nullptr || more > shared_bytes) return grow(more);
  if (shared.block == nullptr) shared.block = make_shared_block();
  if (shared.block == nullptr) return grow(more);
  take_shared();
}

/// The thread's block is there.
inline void WriteBuffer::take_shared() noexcept {
  block_ = std::exchange(shared.block, nullptr);
  block_->begin = block_->end = 0;
}

/// Where there is room, this calls nothing that returns, and so saves no register.
void WriteBuffer::append(std::string_view more) {
  if (more.empty()) return;  // It may have no address, and memcpy() wants one.
  if (block_ == nullptr && shared.block != nullptr && more.size() <= shared_bytes) take_shared();
  if (!has_room(more.size())) [[unlikely]]
    return append_growing(more);
  char* const end = block_->memory() + block_->end;
  block_->end += more.size();
  std::memcpy(end, more.data(), more.size());
}

[[gnu::noinline]] void WriteBuffer::append_growing(std::string_view more) {
  make_room(more.size());
  append(more);
}

void WriteBuffer::grow(std::size_t more) {
  const std::size_t kept = size();
  if (more > static_cast<std::size_t>(PTRDIFF_MAX) - sizeof(Block) - kept) throw std::bad_alloc();
  // Sliding down is worth it only when at least half of the block is free again: each byte then
  // moves once in all.
  if (block_ != nullptr && kept + more <= block_->capacity &&
      block_->begin >= block_->capacity / 2) {
    std::memmove(block_->memory(), block_->memory() + block_->begin, kept);
    block_->begin = 0;
    block_->end = kept;
    return;
  }
  const std::size_t before = block_ != nullptr ? block_->capacity : 0;
  move_to(make_block(std::max({first_capacity, before * 2, kept + more})));
}

}  // namespace weir::detail
