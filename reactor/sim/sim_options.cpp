// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/sim_options.hpp>

#include <iterator>

namespace weir {
namespace {

struct FaultRate {
  std::string_view name;
  std::uint16_t most_per_mille;  // In a swarm: what ends connections must leave some of them alive.
};

constexpr FaultRate kinds[] = {
    {"short_recv", 500},   {"short_send", 500},   {"again", 200},        {"interrupted", 200},
    {"no_memory", 8},      {"spurious", 200},     {"held_back", 400},    {"replay", 200},
    {"reorder", 1000},     {"small_batch", 400},  {"latency", 900},      {"pause", 20},
    {"small_window", 700}, {"reset", 12},         {"abort_accept", 80},  {"accept_error", 80},
    {"no_fds", 60},        {"slow_connect", 500}, {"fail_connect", 150}, {"slow_resolve", 500},
    {"fail_resolve", 250}, {"slow_calls", 300},   {"late_wake", 150},    {"clock_jump", 20},
    {"close_error", 200},
};
static_assert(std::size(kinds) == sim_fault_count);

}  // namespace

std::string_view to_string(SimFault fault) noexcept {
  return kinds[static_cast<std::size_t>(fault)].name;
}

SimOptions SimOptions::swarm(SimRandom& random) noexcept {
  SimOptions options;
  for (std::size_t i = 0; i < sim_fault_count; ++i) {
    const bool on = random.coin();
    const std::uint32_t rate = 1 + random.below(kinds[i].most_per_mille);
    if (on) options.rates[i] = static_cast<std::uint16_t>(rate);
  }
  return options;
}

}  // namespace weir
