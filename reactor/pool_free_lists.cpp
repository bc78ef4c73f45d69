// SPDX-License-Identifier: MIT
#include <weir/reactor/pool.hpp>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace weir::detail {

constinit PoolLists no_pool_lists{};
constinit thread_local PoolLists* pool_lists = &no_pool_lists;

namespace {

constinit thread_local bool opened = false;

/// Has the lists of a thread, and gives them and their blocks back when it ends; what is freed
/// after that goes straight to operator delete.
class ListsOwner {
 public:
  ListsOwner() = default;
  ListsOwner(const ListsOwner&) = delete;
  ListsOwner& operator=(const ListsOwner&) = delete;
  ~ListsOwner() {
    pool_lists = &no_pool_lists;
    if (lists_ == nullptr) return;
    for (PoolLists::Block* head : lists_->heads) {
      while (head != nullptr) ::operator delete(std::exchange(head, head->next));
    }
    std::free(lists_);
  }
  /// Nothing changes where there is no memory for them. Not by operator new: who frees a block may
  /// be about to say that there is none.
  void open() noexcept {
    lists_ = static_cast<PoolLists*>(std::calloc(1, sizeof(PoolLists)));
    if (lists_ == nullptr) return;
    lists_->room = pool_cached_bytes;
    pool_lists = lists_;
  }

 private:
  PoolLists* lists_ = nullptr;
};
// Made, and its destructor registered, at its first use.
thread_local ListsOwner lists_owner;

}  // namespace

void* pool_new_block(std::size_t, std::size_t rounded) { return ::operator new(rounded); }

/// There is no room; or none yet, for this is the first.
void pool_give_without_room(void* block, std::size_t rounded) noexcept {
  if (std::exchange(opened, true)) return ::operator delete(block);
  lists_owner.open();
  if (pool_lists->room == 0) return ::operator delete(block);
  pool_free(block, rounded);
}

}  // namespace weir::detail
