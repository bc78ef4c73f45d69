// SPDX-License-Identifier: MIT
#include <weir/reactor/pool.hpp>

#include <new>

namespace weir::detail {

void* pool_allocate(std::size_t bytes) { return ::operator new(bytes); }
void pool_free(void* block, std::size_t) noexcept { ::operator delete(block); }

}  // namespace weir::detail
