// SPDX-License-Identifier: MIT
#include <weir/reactor/pool.hpp>

#include <array>
#include <new>
#include <utility>

namespace weir::detail {
namespace {

constexpr std::size_t class_bytes = 64;
constexpr std::size_t classes = pool_max_bytes / class_bytes;

struct FreeBlock {
  FreeBlock* next;
};

// Trivial, so that it can still be used while other thread_local objects are being destroyed.
struct Lists {
  std::array<FreeBlock*, classes> heads;
  std::size_t room;  // Bytes that may still be kept: none before the first, and after the end.
  bool opened;
};
constinit thread_local Lists lists{};

/// Gives the blocks back when the thread ends; what is freed after that goes straight to operator
/// delete.
struct ListsCloser {
  ListsCloser() = default;
  ListsCloser(const ListsCloser&) = delete;
  ListsCloser& operator=(const ListsCloser&) = delete;
  ~ListsCloser() {
    lists.room = 0;
    for (FreeBlock*& head : lists.heads) {
      while (head != nullptr) {
        FreeBlock* block = head;
        head = block->next;
        ::operator delete(block);
      }
    }
  }
  void touch() noexcept {}
};
thread_local ListsCloser lists_closer;

/// Whether there is room for `bytes` after all, for these are the first.
[[gnu::noinline]] bool open_for(std::size_t bytes) noexcept {
  if (std::exchange(lists.opened, true)) return false;
  lists_closer.touch();  // A thread_local is made, and its destructor registered, at its first use.
  lists.room = pool_cached_bytes;
  return bytes <= lists.room;
}

constexpr std::size_t class_of(std::size_t bytes) noexcept { return (bytes - 1) / class_bytes; }

}  // namespace

void* pool_allocate(std::size_t bytes) {
  // Zero wraps round, and is not pooled either.
  if (bytes - 1 >= pool_max_bytes) return ::operator new(bytes);
  FreeBlock*& head = lists.heads[class_of(bytes)];
  const std::size_t rounded = (class_of(bytes) + 1) * class_bytes;
  if (head == nullptr) return ::operator new(rounded);
  FreeBlock* block = head;
  head = block->next;
  lists.room += rounded;
  return block;
}

void pool_free(void* block, std::size_t bytes) noexcept {
  if (bytes - 1 >= pool_max_bytes) return ::operator delete(block);
  const std::size_t rounded = (class_of(bytes) + 1) * class_bytes;
  if (rounded > lists.room && !open_for(rounded)) [[unlikely]]
    return ::operator delete(block);
  FreeBlock*& head = lists.heads[class_of(bytes)];
  head = ::new (block) FreeBlock{head};
  lists.room -= rounded;
}

}  // namespace weir::detail
