// SPDX-License-Identifier: MIT
#include <weir/reactor/poison.hpp>

#include <sanitizer/asan_interface.h>

namespace weir::detail {

const bool poisons = true;

void poison(const void* memory, std::size_t bytes) noexcept {
  __asan_poison_memory_region(memory, bytes);
}
void unpoison(const void* memory, std::size_t bytes) noexcept {
  __asan_unpoison_memory_region(memory, bytes);
}

}  // namespace weir::detail
