// Internal: used by the pollers.
// SPDX-License-Identifier: MIT
#pragma once

#include <new>
#include <vector>

#include <weir/reactor/poller/poller.hpp>

namespace weir::detail {

/// Appends `found`; false where there is no memory for that. A wait then returns what it has: all
/// pollers are level-triggered, and tell the rest the next time. The loop makes room for one batch
/// when it is made (docs/out_of_memory.md).
inline bool add_ready(std::vector<Ready>& ready, const Ready& found) noexcept {
  try {
    ready.push_back(found);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace weir::detail
