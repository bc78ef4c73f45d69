// SPDX-License-Identifier: MIT
#include <weir/reactor/pool.hpp>

#include <new>

namespace weir::detail {

constinit PoolLists no_pool_lists{};
constinit thread_local PoolLists* pool_lists = &no_pool_lists;  // There is never room in them.

void* pool_new_block(std::size_t bytes, std::size_t) { return ::operator new(bytes); }

void pool_give_without_room(void* block, std::size_t) noexcept { ::operator delete(block); }

}  // namespace weir::detail
