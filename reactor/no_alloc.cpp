// SPDX-License-Identifier: MIT
#include <weir/reactor/no_alloc.hpp>

// Alone in its file: a program that defines these itself does not link it.

namespace weir::detail {

void enter_no_alloc() noexcept {}
void leave_no_alloc() noexcept {}
void enter_may_alloc() noexcept {}
void leave_may_alloc() noexcept {}

}  // namespace weir::detail
