// SPDX-License-Identifier: MIT
#include <bench/readuntil/contest.hpp>

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>

namespace weir::bench {
namespace {

/// Keeps what the last benchmark took for one iteration.
class Quiet final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) ns_ = run.GetAdjustedRealTime();
  }
  double ns() const noexcept { return ns_; }

 private:
  double ns_ = 0;
};

void refuse(const Contestant& side, const Seen& seen, const Seen& expected) {
  throw std::runtime_error(
      side.name() + " has seen " + std::to_string(seen.records) + " records of " +
      std::to_string(seen.bytes) + " bytes, not " + std::to_string(expected.records) + " of " +
      std::to_string(expected.bytes) +
      (seen.records == expected.records && seen.bytes == expected.bytes ? ", with other contents"
                                                                        : ""));
}

void check_pass(const Contestant& side, const Seen& seen, const Workload& workload) {
  const Seen& expected = workload.expected;
  if (seen.records != expected.records || seen.bytes != expected.bytes)
    refuse(side, seen, expected);
}

/// `passes` of them; returns nanoseconds per pass.
double timed(Contestant& side, const Workload& workload, std::int64_t passes) {
  benchmark::ClearRegisteredBenchmarks();
  Seen seen;
  auto* registered =
      benchmark::RegisterBenchmark(side.name().c_str(), [&](benchmark::State& state) {
        for (auto _ : state) {
          seen = side.pass(workload);
          if (const std::uint64_t ns = side.own_ns(); ns != 0)
            state.SetIterationTime(static_cast<double>(ns) * 1e-9);
        }
      });
  registered->Iterations(passes)->Unit(benchmark::kNanosecond);
  if (side.own_ns() != 0) {
    registered->UseManualTime();
  } else {
    registered->UseRealTime();
  }
  Quiet reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter, ".*");
  check_pass(side, seen, workload);
  return reporter.ns();
}

/// What this process has had of the processor.
struct Used {
  double user = 0;
  double system = 0;
};

Used used() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return {seconds(usage.ru_utime), seconds(usage.ru_stime)};
}

struct Entry {
  Contestant* side;
  std::int64_t passes;
  Result result;
  Used total;
};

/// Ready to be timed: checked, warm, and with as many passes as fill a round.
Entry enter(Contestant& side, const Workload& workload, const Effort& effort) {
  side.open(workload);
  const Seen seen = side.check(workload);
  if (seen != workload.expected) refuse(side, seen, workload.expected);
  check_pass(side, side.pass(workload), workload);
  const double ns = std::max(timed(side, workload, 1), 1.0);
  const auto passes = static_cast<std::int64_t>(std::ceil(effort.round_ms * 1e6 / ns));
  return {&side, passes, {side.name(), {}, 0}, {}};
}

}  // namespace

std::vector<Result> contest(const std::vector<Side>& sides, const Workload& workload,
                            const Effort& effort) {
  std::vector<Entry> entries;
  for (const Side& side : sides) {
    if (side && side->can(workload)) entries.push_back(enter(*side, workload, effort));
  }
  for (int round = 0; round < effort.rounds; ++round) {
    for (Entry& entry : entries) {
      const Used before = used();
      const double ns = timed(*entry.side, workload, entry.passes);
      const Used after = used();
      entry.total.user += after.user - before.user;
      entry.total.system += after.system - before.system;
      entry.result.ns_per_record.push_back(ns / static_cast<double>(workload.expected.records));
    }
    std::reverse(entries.begin(), entries.end());
  }
  std::vector<Result> results;
  for (const Side& side : sides) {
    for (Entry& entry : entries) {
      if (entry.side != side.get()) continue;
      const double all = entry.total.user + entry.total.system;
      entry.result.system_share = all > 0 ? entry.total.system / all : 0;
      results.push_back(std::move(entry.result));
      entry.side->close();
    }
  }
  return results;
}

}  // namespace weir::bench
