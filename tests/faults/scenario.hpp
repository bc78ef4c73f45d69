// Internal: used by the tiers that run scenarios: faults, and failing allocations.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include <weir/reactor/kernel.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/coro.hpp>

#include <tests/faults/oracle.hpp>

namespace weir::faults {

/// Where a scenario plays.
struct Stage {
  FakeKernel& machine;  // The rest of the world: peers, hosts, files. Nothing fails here.
  Kernel& kernel;       // What the loop runs on: the machine, or something around it that fails.
  Oracle& oracle;
};

/// A small program over weir's public functions. Its coroutine ends in every case: by itself, with
/// what failed, or when a minute has passed. Whatever happens, it lets go of all that it has
/// opened: what is left some seconds later is an error.
struct Scenario {
  const char* name;
  Coro<> (*main)(Stage stage);
};

/// All of them, in the order of their files.
std::span<const Scenario> scenarios();
/// Null if there is none of that name.
const Scenario* find_scenario(std::string_view name);

/// Scenarios that must be found wanting: they check the checks. They are in no list.
std::span<const Scenario> canaries();

struct RunOptions {
  std::uint32_t cancel_at = 0;  // The await of the coroutine at which it is cancelled; 0: never.
  int max_waits = 20000;        // So many polls with something ready, and the loop is said to spin.
};

/// Plays `scenario` on a loop of its own, and closes that. Then it looks at what is left: of the
/// loop's tasks, transports and timers before the closing, of descriptors after it.
///
/// Errors    Nothing is thrown: all goes to the oracle.
/// Shape     Stage stage{machine, kernel, oracle};  run(scenario, stage);
///           Returns whether the coroutine had as many awaits as `cancel_at`.
bool run(const Scenario& scenario, Stage stage, const RunOptions& options = {});

}  // namespace weir::faults
