// Internal: used by tests of what happens without memory.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace weir::test {

enum class Failure {
  once,    // The nth allocation, and no other.
  sticky,  // The nth, and all that come after it.
};

/// While one lives, allocations of this thread fail as it says; the first is number 1, and 0 makes
/// none fail. One at a time. Linking failing_allocations.cpp takes allocations.cpp with it, and
/// needs a pool that keeps no blocks (reactor/pool_malloc.cpp).
class FailingAllocations {
 public:
  FailingAllocations(std::uint64_t nth, Failure how) noexcept;
  FailingAllocations(const FailingAllocations&) = delete;
  FailingAllocations& operator=(const FailingAllocations&) = delete;
  ~FailingAllocations();

  /// How many were asked for, those that failed included; spared ones are not counted.
  static std::uint64_t seen() noexcept;
  static bool failed() noexcept;
};

/// While one lives, no allocation of this thread is counted, fails, or is held against anybody.
class SpareAllocations {
 public:
  SpareAllocations() noexcept;
  SpareAllocations(const SpareAllocations&) = delete;
  SpareAllocations& operator=(const SpareAllocations&) = delete;
  ~SpareAllocations();
};

/// Undoes those around it: for what a spared one calls back into the program under test.
class UnspareAllocations {
 public:
  UnspareAllocations() noexcept;
  UnspareAllocations(const UnspareAllocations&) = delete;
  UnspareAllocations& operator=(const UnspareAllocations&) = delete;
  ~UnspareAllocations();

 private:
  int before_;
};

/// A further reason to spare an allocation of this thread: asked every time. Null: none.
void set_spared_by(bool (*spares)() noexcept) noexcept;

/// Allocations that were made in a stretch of code of the library's that must make none
/// (reactor/no_alloc.hpp), since the last call. They succeed.
std::uint64_t take_denied_allocations() noexcept;

/// Whether to write the stack of each allocation that fails or is denied to standard error.
void trace_failures(bool enabled) noexcept;

}  // namespace weir::test
