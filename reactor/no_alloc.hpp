// Internal: used by what must not fail: closing, cancelling, waking, time-outs.
// SPDX-License-Identifier: MIT
#pragma once

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// Brackets around code that must not ask for memory (docs/out_of_memory.md), for a test to hold it
/// to that. The library's own, in no_alloc.cpp, do nothing; a program that brings others
/// (tests/support/failing_allocations.cpp) has those. They nest.
void enter_no_alloc() noexcept;
void leave_no_alloc() noexcept;
/// Inside of them, around what may: the user's callbacks, and reports.
void enter_may_alloc() noexcept;
void leave_may_alloc() noexcept;

struct NoAllocScope {
  NoAllocScope() noexcept { enter_no_alloc(); }
  NoAllocScope(const NoAllocScope&) = delete;
  NoAllocScope& operator=(const NoAllocScope&) = delete;
  ~NoAllocScope() { leave_no_alloc(); }
};

struct MayAllocScope {
  MayAllocScope() noexcept { enter_may_alloc(); }
  MayAllocScope(const MayAllocScope&) = delete;
  MayAllocScope& operator=(const MayAllocScope&) = delete;
  ~MayAllocScope() { leave_may_alloc(); }
};

}  // namespace detail
}  // namespace weir
