// Internal: used by tests that count allocations.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::test {

/// How often this program has called operator new, of any kind and on any thread. Linking
/// allocations.cpp replaces the operators of the whole program.
std::uint64_t allocations() noexcept;

/// The bytes that operator new has given out and not got back. What the pools keep for reuse
/// counts.
std::size_t allocated_bytes() noexcept;
/// Asked before every allocation: one that it answers with false is refused, as if there were no
/// memory. Null, as at first, refuses none.
using AllocationGate = bool (*)() noexcept;
void set_allocation_gate(AllocationGate gate) noexcept;

/// Whether freed blocks are used again. The pools are off under sanitizers, which could not see a
/// use after free otherwise; then every frame and buffer is an allocation.
bool pools_are_on();

}  // namespace weir::test
