// SPDX-License-Identifier: MIT
#include <weir/reactor/pool.hpp>

#include <new>

namespace weir::detail {

void* pool_take(std::size_t bytes, std::size_t) { return ::operator new(bytes); }
void pool_give(void* block, std::size_t) noexcept { ::operator delete(block); }

}  // namespace weir::detail
