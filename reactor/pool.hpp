// Internal: used by handles, coroutine frames and the small buffers of streams.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <new>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

inline constexpr std::size_t pool_max_bytes = 4096;
inline constexpr std::size_t pool_cached_bytes = std::size_t{1} << 20;
inline constexpr std::size_t pool_class_bytes = 16;
// The classes are 8, 24, 40 … bytes, as glibc's malloc has them, which needs 8 bytes of its own for
// each block: nothing is rounded up twice.
inline constexpr std::size_t pool_smallest_bytes = 8;
constexpr std::size_t pool_class_of(std::size_t bytes) noexcept {
  return (bytes + pool_class_bytes - 1 - pool_smallest_bytes) / pool_class_bytes;
}
/// The most of a class: so much its blocks have.
constexpr std::size_t pool_bytes_of(std::size_t size_class) noexcept {
  return size_class * pool_class_bytes + pool_smallest_bytes;
}

/// The free lists of a thread.
struct PoolLists {
  struct Block {
    Block* next;
  };
  std::array<Block*, pool_class_of(pool_max_bytes) + 1> heads;
  std::size_t room;  // Bytes that may still be kept.
};
/// Empty, without room, and so never written to: what a thread has before its first block is freed,
/// and while its other thread_local objects are being destroyed.
extern constinit PoolLists no_pool_lists;
/// Initial-exec: its address is a constant off the thread's register; else each use would call
/// __tls_get_addr(). Only a pointer: of such memory there is little for what is loaded by dlopen().
[[gnu::tls_model("initial-exec")]] extern constinit thread_local PoolLists* pool_lists;

/// What the build picks a file for: pool_free_lists.cpp; pool_malloc.cpp, which keeps nothing and
/// rounds nothing up, under sanitizers, which can then see every use after free, and behind an end.
void* pool_new_block(std::size_t bytes, std::size_t rounded);
void pool_give_without_room(void* block, std::size_t rounded) noexcept;

/// Blocks of memory from free lists, one list a size class, one set of lists a thread.
///
/// Units     Up to pool_max_bytes a block; larger ones go straight to operator new.
/// Errors    std::bad_alloc, nothing changed.
/// Threads   Any. A block may be freed on another thread than the one that made it: it then serves
///           that one.
/// Cost      Three loads and three stores when the list has a block; which list is known at compile
///           time where the size is. A thread keeps at most pool_cached_bytes.
inline void* pool_allocate(std::size_t bytes) {
  // Zero wraps round, and is not pooled either.
  if (bytes - 1 >= pool_max_bytes) return ::operator new(bytes);
  const std::size_t size_class = pool_class_of(bytes);
  const std::size_t rounded = pool_bytes_of(size_class);
  PoolLists& lists = *pool_lists;
  PoolLists::Block*& head = lists.heads[size_class];
  PoolLists::Block* const block = head;
  if (block == nullptr) [[unlikely]]
    return pool_new_block(bytes, rounded);
  head = block->next;
  lists.room += rounded;
  return block;
}
/// `bytes` as it was asked for.
inline void pool_free(void* block, std::size_t bytes) noexcept {
  if (bytes - 1 >= pool_max_bytes) return ::operator delete(block);
  const std::size_t size_class = pool_class_of(bytes);
  const std::size_t rounded = pool_bytes_of(size_class);
  PoolLists& lists = *pool_lists;
  if (rounded > lists.room) [[unlikely]]
    return pool_give_without_room(block, rounded);
  PoolLists::Block*& head = lists.heads[size_class];
  head = ::new (block) PoolLists::Block{head};
  lists.room -= rounded;
}

}  // namespace detail
}  // namespace weir
