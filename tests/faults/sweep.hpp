// Internal: used by main.cpp and test_sweep.cpp of tests/faults.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/sim/call.hpp>
#include <weir/reactor/sim/known_faults.hpp>

#include <tests/faults/scenario.hpp>

namespace weir::faults {

/// One run of a scenario: what is done to it, and where.
struct FaultCase {
  const KnownFault* known = nullptr;  // None: the scenario is cancelled at its `number`th await.
  std::uint64_t number = 1;
  bool lasting = false;

  /// "recv:3:ECONNRESET", "recv:3:ECONNRESET:always", "cancel:4".
  std::string text() const;
};

/// The case that text() has written; nothing if it is none.
std::optional<FaultCase> parse_case(std::string_view text);

/// What can be seen of a run.
struct Record {
  std::string results;
  std::vector<Told> errors;
  std::vector<std::string> violations;
  bool all_arrived = false;
  bool struck = false;  // The fault has, or the cancellation.
};

/// What a run with a fault must not show: what no run may, and what the fault does not explain.
std::vector<std::string> judge(const FaultCase& fault, const Record& clean, const Record& run);

/// One scenario with every fault that can strike it, once and again and again.
class Sweep {
 public:
  /// Plays it without a fault: that tells which calls it makes.
  explicit Sweep(const Scenario& scenario);

  const Scenario& scenario() const noexcept { return scenario_; }
  const Record& clean() const noexcept { return clean_; }
  std::uint64_t calls(Call call) const noexcept { return calls_[static_cast<std::size_t>(call)]; }
  /// Of the calls of this name, or of all; "cancel" are the cancellations.
  std::vector<FaultCase> cases(std::string_view call = {}) const;

  struct Verdict {
    bool struck = false;
    std::vector<std::string> wrong;
  };
  /// One run, judged. What it does not give back of the memory that it took is wrong, too.
  Verdict play(const FaultCase& fault) const;

 private:
  Record record(const FaultCase* fault, std::uint64_t* calls) const;
  Verdict play_once(const FaultCase& fault) const;

  const Scenario& scenario_;
  std::uint64_t calls_[call_count] = {};
  std::uint64_t awaits_ = 0;
  Record clean_;
};

/// docs/errno_policy.md.
std::string policy_page();

}  // namespace weir::faults
