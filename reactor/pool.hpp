// Internal: used by handles, coroutine frames and the small buffers of streams.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <new>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// Blocks of memory from free lists, one list a size class of 16 bytes, one set of lists a thread.
///
/// Units     Up to pool_max_bytes a block; larger ones go straight to operator new.
/// Errors    std::bad_alloc, nothing changed.
/// Threads   Any. A block may be freed on another thread than the one that made it: it then serves
///           that one.
/// Cost      Two loads and three stores when the list has a block; which list is known at compile
/// time
///           where the size is. A thread keeps at most pool_cached_bytes.
/// Lifetime  The build picks the file: pool_free_lists.cpp, or pool_malloc.cpp under sanitizers,
///           which can then see every use after free.
void* pool_allocate(std::size_t bytes);
/// `bytes` as it was asked for.
void pool_free(void* block, std::size_t bytes) noexcept;

inline constexpr std::size_t pool_max_bytes = 4096;
inline constexpr std::size_t pool_cached_bytes = std::size_t{1} << 20;
inline constexpr std::size_t pool_class_bytes = 16;
// The classes are 8, 24, 40 … bytes, as glibc's malloc has them, which needs 8 bytes of its own for
// each block: nothing is rounded up twice.
inline constexpr std::size_t pool_smallest_bytes = 8;
inline constexpr std::size_t pool_class_of(std::size_t bytes) noexcept {
  return (bytes + pool_class_bytes - 1 - pool_smallest_bytes) / pool_class_bytes;
}

/// A block of `bytes`, which the lists round up to what is the most of its class.
void* pool_take(std::size_t bytes, std::size_t size_class);
void pool_give(void* block, std::size_t size_class) noexcept;

inline void* pool_allocate(std::size_t bytes) {
  // Zero wraps round, and is not pooled either.
  if (bytes - 1 >= pool_max_bytes) return ::operator new(bytes);
  return pool_take(bytes, pool_class_of(bytes));
}
inline void pool_free(void* block, std::size_t bytes) noexcept {
  if (bytes - 1 >= pool_max_bytes) return ::operator delete(block);
  pool_give(block, pool_class_of(bytes));
}

}  // namespace detail
}  // namespace weir
