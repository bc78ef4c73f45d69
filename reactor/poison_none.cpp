// SPDX-License-Identifier: MIT
#include <weir/reactor/poison.hpp>

namespace weir::detail {

const bool poisons = false;

void poison(const void*, std::size_t) noexcept {}
void unpoison(const void*, std::size_t) noexcept {}

}  // namespace weir::detail
