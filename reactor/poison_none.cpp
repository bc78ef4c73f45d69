// SPDX-License-Identifier: MIT
#include <weir/reactor/poison.hpp>

namespace weir::detail {

void poison(const void*, std::size_t) noexcept {}
void unpoison(const void*, std::size_t) noexcept {}

}  // namespace weir::detail
