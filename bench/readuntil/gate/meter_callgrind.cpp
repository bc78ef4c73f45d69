// SPDX-License-Identifier: MIT
#include <bench/readuntil/gate/meter.hpp>

#include <valgrind/callgrind.h>

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
