// Internal: used by the scenarios of faults and by the tiers that run them.
// SPDX-License-Identifier: MIT
#pragma once

namespace weir::faults {

/// While one lives, no allocation of this thread may be made to fail: what runs then belongs to the
/// test, not to the program under test.
class Exempt {
 public:
  Exempt() noexcept { ++depth; }
  Exempt(const Exempt&) = delete;
  Exempt& operator=(const Exempt&) = delete;
  ~Exempt() { --depth; }

  static bool active() noexcept { return depth != 0; }

 private:
  static inline constinit thread_local int depth = 0;
};

}  // namespace weir::faults
