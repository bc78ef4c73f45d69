// SPDX-License-Identifier: MIT
#include <weir/reactor/pool.hpp>

#include <array>
#include <new>
#include <utility>

namespace weir::detail {
namespace {

constexpr std::size_t classes = pool_class_of(pool_max_bytes) + 1;

struct FreeBlock {
  FreeBlock* next;
};

// Trivial, so that it can still be used while other thread_local objects are being destroyed. Its
// address is a constant off the thread's register: else each use would call __tls_get_addr().
struct Lists {
  std::array<FreeBlock*, classes> heads;
  std::size_t room;  // Bytes that may still be kept: none before the first, and after the end.
  bool opened;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local Lists lists{};

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

constexpr std::size_t size_of(std::size_t size_class) noexcept {
  return size_class * pool_class_bytes + pool_smallest_bytes;
}

/// There is no room; or none yet, for this is the first.
[[gnu::noinline]] void give_without_room(void* block, std::size_t size_class) noexcept {
  if (std::exchange(lists.opened, true)) return ::operator delete(block);
  lists_closer.touch();  // A thread_local is made, and its destructor registered, at its first use.
  lists.room = pool_cached_bytes;
  pool_give(block, size_class);
}

}  // namespace

void* pool_take(std::size_t, std::size_t size_class) {
  FreeBlock*& head = lists.heads[size_class];
  FreeBlock* const block = head;
  if (block == nullptr) [[unlikely]]
    return ::operator new(size_of(size_class));
  head = block->next;
  lists.room += size_of(size_class);
  return block;
}

void pool_give(void* block, std::size_t size_class) noexcept {
  const std::size_t bytes = size_of(size_class);
  if (bytes > lists.room) [[unlikely]]
    return give_without_room(block, size_class);
  FreeBlock*& head = lists.heads[size_class];
  head = ::new (block) FreeBlock{head};
  lists.room -= bytes;
}

}  // namespace weir::detail
