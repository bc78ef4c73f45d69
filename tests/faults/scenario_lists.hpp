// Internal: used by scenario.cpp, which joins the lists.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include <tests/faults/scenario.hpp>

namespace weir::faults {

std::span<const Scenario> connect_scenarios();
std::span<const Scenario> server_scenarios();
std::span<const Scenario> transport_scenarios();
std::span<const Scenario> stream_scenarios();
std::span<const Scenario> unix_scenarios();
std::span<const Scenario> loop_scenarios();

}  // namespace weir::faults
