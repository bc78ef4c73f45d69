// SPDX-License-Identifier: MIT
#include <bench/readuntil/gate/meter.hpp>

#include <valgrind/callgrind.h>

#include <cstddef>
#include <cstdlib>
#include <new>

// Where a buffer begins decides how many steps memchr takes to its first whole vector. It must not
// be chance: buffers begin at a cache line.
void* operator new(std::size_t bytes) {
  constexpr std::size_t line = 64;
  constexpr std::size_t buffer = 1024;
  void* const block = bytes < buffer ? std::malloc(bytes == 0 ? 1 : bytes)
                                     : std::aligned_alloc(line, (bytes + line - 1) / line * line);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace weir::bench {

// Started with --collect-atstart=no: each toggle turns the counting on or off.

void meter_begin() {
  CALLGRIND_ZERO_STATS;
  CALLGRIND_TOGGLE_COLLECT;
}
void meter_pause() noexcept { CALLGRIND_TOGGLE_COLLECT; }
void meter_resume() noexcept { CALLGRIND_TOGGLE_COLLECT; }
void meter_end(const std::string& name) {
  CALLGRIND_TOGGLE_COLLECT;
  CALLGRIND_DUMP_STATS_AT(name.c_str());
}

bool meter_is_slow() noexcept { return true; }
void meter_suspension() noexcept {}
void meter_received(std::uint64_t) noexcept {}
void meter_scanned(std::uint64_t) noexcept {}

}  // namespace weir::bench
