// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// What the loop has done, for tests and measurements.
struct LoopStats {
  std::uint64_t passes = 0;        // times that a batch of ready callbacks was run
  std::uint64_t polls = 0;         // times that the kernel was asked for events
  std::uint64_t stale_events = 0;  // events of registrations that were already forgotten, dropped
};

}  // namespace weir
