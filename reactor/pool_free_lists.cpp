// SPDX-License-Identifier: MIT
#include <weir/reactor/pool.hpp>

#include <new>
#include <utility>

namespace weir::detail {

constinit thread_local PoolLists pool_lists{};

namespace {

constinit thread_local bool opened = false;

/// Gives the blocks back when the thread ends; what is freed after that goes straight to operator
/// delete.
struct ListsCloser {
  ListsCloser() = default;
  ListsCloser(const ListsCloser&) = delete;
  ListsCloser& operator=(const ListsCloser&) = delete;
  ~ListsCloser() {
    pool_lists.room = 0;
    for (PoolLists::Block*& head : pool_lists.heads) {
      while (head != nullptr) {
        PoolLists::Block* block = head;
        head = block->next;
        ::operator delete(block);
      }
    }
  }
  void touch() noexcept {}
};
thread_local ListsCloser lists_closer;

}  // namespace

/// There is no room; or none yet, for this is the first.
void pool_give_without_room(void* block, std::size_t bytes) noexcept {
  if (std::exchange(opened, true)) return ::operator delete(block);
  lists_closer.touch();  // A thread_local is made, and its destructor registered, at its first use.
  pool_lists.room = pool_cached_bytes;
  pool_free(block, bytes);
}

}  // namespace weir::detail
