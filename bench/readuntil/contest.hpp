// Internal: used by the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <bench/readuntil/contestant.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::bench {

/// How long, how often.
struct Effort {
  int rounds = 21;
  double round_ms = 8;  // Of one side in one round, at least one pass.
};

/// What one side took in each round, in the order of the rounds.
struct Result {
  std::string side;
  std::vector<double> ns_per_record;
  double system_share = 0;  // How much of the processor's time was the kernel's.
};

/// Lets all sides that can do `workload` take it, in turns, the order reversed from round to round.
/// Google Benchmark does the timing; sides with a clock of their own tell what it said.
///
/// Errors    std::runtime_error: a side has not seen what is there. No figure of it is worth
///           anything then.
std::vector<Result> contest(const std::vector<Side>& sides, const Workload& workload,
                            const Effort& effort);

}  // namespace weir::bench
