// Internal: used by the program that makes allocations fail.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include <tests/faults/scenario.hpp>

namespace weir::test {

/// Programs that go well while there is memory, and are wrong without it. Each must be found.
std::span<const faults::Scenario> memory_canaries();

}  // namespace weir::test
