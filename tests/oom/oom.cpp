// SPDX-License-Identifier: MIT
//
// Plays the scenarios of tests/faults with a failing operator new: every allocation of every
// scenario, alone and with all that come after it. `./dev faults --oom` runs it.

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

#include <tests/faults/scenario.hpp>
#include <tests/oom/canaries.hpp>
#include <tests/oom/sparing_kernel.hpp>
#include <tests/support/allocations.hpp>
#include <tests/support/failing_allocations.hpp>

namespace {

using namespace weir;
using faults::Oracle;
using faults::Place;
using faults::Scenario;
using test::Failure;

// Of real time, for one run in virtual time, on a slow machine with sanitizers.
constexpr unsigned hang_seconds = 20;
constexpr unsigned canary_hang_seconds = 2;
struct Options {
  std::string scenario;      // Empty: all.
  std::uint64_t nth = 0;     // 0: every one.
  std::uint64_t stride = 1;  // Every so manieth.
  bool once = true;
  bool sticky = true;
  bool trace = false;
  bool verbose = false;
  bool canaries = false;
};

/// What a worker tells, in memory that outlives it.
struct Progress {
  std::uint64_t points;
  std::uint64_t nth;  // The run that is under way.
  Failure how;
  std::uint64_t runs;
  std::uint64_t violations;
  std::uint64_t out_of_time;  // Runs that the scenario's own time limit ended.
};

const char* to_string(Failure how) { return how == Failure::once ? "once" : "sticky"; }

/// What a run came to.
struct Outcome {
  std::string results;
  std::vector<std::string> violations;
  std::vector<std::string> errors;
  std::uint64_t seen = 0;
  bool told_somebody = false;
  bool out_of_time = false;
};

template <class Error>
bool is(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const Error&) {
    return true;
  } catch (...) {
  }
  return false;
}

/// No more than the oracle asks, and what only this tier can: that the loop goes on, and that an
/// allocation that fails alone is reported once at most.
void judge(const Oracle& oracle, Failure how, Outcome& outcome) {
  outcome.results = oracle.results();
  outcome.violations = oracle.violations();
  int reports = 0;
  for (const faults::Told& told : oracle.errors()) {
    outcome.errors.push_back(told.text());
    outcome.told_somebody = true;
    const bool no_memory = is<std::bad_alloc>(told.error);
    if (told.place == Place::report && no_memory) ++reports;
    if (told.place == Place::loop) {
      outcome.violations.push_back("came out of run_forever(): " + told.text());
    }
    if (told.place == Place::call && is<TimeoutError>(told.error)) outcome.out_of_time = true;
  }
  if (how == Failure::once && reports > 1) {
    outcome.violations.push_back("one failure was reported " + std::to_string(reports) + " times");
  }
}

/// One run, and what is left of it in memory.
Outcome play(const Scenario& scenario, std::uint64_t nth, Failure how) {
  Outcome outcome;
  const std::size_t before = test::allocated_bytes();
  std::size_t of_outcome = 0;
  test::take_denied_allocations();
  {
    FakeKernel machine;
    test::SparingKernel kernel(machine);
    Oracle oracle;
    {
      const test::FailingAllocations failing(nth, how);
      faults::run(scenario, {machine, kernel, oracle});
    }
    outcome.seen = test::FailingAllocations::seen();
    const std::size_t before_judgement = test::allocated_bytes();
    judge(oracle, how, outcome);
    of_outcome = test::allocated_bytes() - before_judgement;
  }
  const std::size_t left = test::allocated_bytes() - before - of_outcome;
  if (left != 0) outcome.violations.push_back(std::to_string(left) + " bytes have leaked");
  if (const std::uint64_t denied = test::take_denied_allocations(); denied != 0) {
    outcome.violations.push_back(std::to_string(denied) +
                                 " allocations where there must be none (reactor/no_alloc.hpp)");
  }
  return outcome;
}

std::string command_of(const Scenario& scenario, std::uint64_t nth, Failure how) {
  return std::string("./dev faults --oom --scenario ") + scenario.name + " --nth " +
         std::to_string(nth) + (how == Failure::once ? " --once" : " --sticky");
}

void tell(const Scenario& scenario, std::uint64_t nth, Failure how,
          const std::vector<std::string>& violations, const std::vector<std::string>& errors) {
  std::printf("VIOLATION %s, allocation %llu, %s\n", scenario.name,
              static_cast<unsigned long long>(nth), to_string(how));
  for (const std::string& violation : violations) std::printf("  %s\n", violation.c_str());
  for (const std::string& error : errors) std::printf("  told: %s\n", error.c_str());
  std::printf("  again: %s\n", command_of(scenario, nth, how).c_str());
  std::fflush(stdout);
}

void run_one(const Scenario& scenario, const std::string& expected, std::uint64_t nth, Failure how,
             const Options& options, Progress& progress) {
  progress.nth = nth;
  progress.how = how;
  alarm(options.canaries ? canary_hang_seconds : hang_seconds);
  Outcome outcome = play(scenario, nth, how);
  alarm(0);
  if (outcome.results != expected && !outcome.told_somebody) {
    outcome.violations.push_back("nobody was told, and it came to '" + outcome.results +
                                 "' instead of '" + expected + "'");
  }
  ++progress.runs;
  if (outcome.out_of_time) ++progress.out_of_time;
  if (options.verbose) {
    std::printf("%s %llu %s: %s\n", scenario.name, static_cast<unsigned long long>(nth),
                to_string(how), outcome.results.c_str());
    for (const std::string& error : outcome.errors) std::printf("  told: %s\n", error.c_str());
  }
  if (outcome.violations.empty()) return;
  ++progress.violations;
  tell(scenario, nth, how, outcome.violations, outcome.errors);
}

/// In a process of its own. Goes on behind the run that killed the one before it, if one did.
int work(const Scenario& scenario, const Options& options, Progress& progress, Failure from_how,
         std::uint64_t from_nth) {
  test::set_spared_by(faults::Exempt::active);
  play(scenario, 0, Failure::once);  // What is made once a process is made here.
  const Outcome whole = play(scenario, 0, Failure::once);
  progress.points = whole.seen;
  if (!whole.violations.empty()) {
    ++progress.violations;
    tell(scenario, 0, Failure::once, whole.violations, whole.errors);
    return 0;
  }
  test::trace_failures(options.trace);
  for (const Failure how : {Failure::once, Failure::sticky}) {
    if (how < from_how || !(how == Failure::once ? options.once : options.sticky)) continue;
    std::uint64_t nth = how == from_how ? from_nth : 1;
    if (options.nth != 0 && nth <= options.nth) {
      run_one(scenario, whole.results, options.nth, how, options, progress);
    }
    if (options.nth != 0) continue;
    // A failure may lead to more allocations than there were without it, never to fewer points.
    for (; nth <= whole.seen; nth += options.stride) {
      run_one(scenario, whole.results, nth, how, options, progress);
    }
  }
  return 0;
}

std::string death_of(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "hung";
  if (WIFSIGNALED(status)) return std::string("was killed by ") + strsignal(WTERMSIG(status));
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

/// All runs of a scenario, as many workers as it takes.
void sweep(const Scenario& scenario, const Options& options, Progress& progress) {
  Failure how = Failure::once;
  std::uint64_t nth = 1;
  for (;;) {
    std::fflush(stdout);
    progress.nth = 0;
    const pid_t worker = fork();
    if (worker < 0) {
      std::perror("fork");
      std::exit(2);
    }
    if (worker == 0) {
      const int code = work(scenario, options, progress, how, nth);
      std::fflush(stdout);
      _exit(code);
    }
    int status = 0;
    waitpid(worker, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    ++progress.violations;
    tell(scenario, progress.nth, progress.how, {"the program " + death_of(status)}, {});
    if (progress.nth == 0 || options.nth != 0) return;
    how = progress.how;
    nth = progress.nth + options.stride;
  }
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const auto value = [&] { return i + 1 < argc ? argv[++i] : ""; };
    if (name == "--scenario") {
      options.scenario = value();
    } else if (name == "--nth") {
      options.nth = std::strtoull(value(), nullptr, 10);
    } else if (name == "--stride") {
      options.stride = std::strtoull(value(), nullptr, 10);
    } else if (name == "--once") {
      options.sticky = false;
    } else if (name == "--sticky") {
      options.once = false;
    } else if (name == "--trace") {
      options.trace = true;
    } else if (name == "--verbose") {
      options.verbose = true;
    } else if (name == "--canaries") {
      options.canaries = true;
    } else {
      std::fprintf(stderr, "unknown option %s\n", argv[i]);
      return false;
    }
  }
  return options.stride != 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) return 2;
  if (test::pools_are_on()) {
    std::fprintf(stderr, "the pools keep blocks: not every frame is an allocation\n");
    return 2;
  }
  auto* progress = static_cast<Progress*>(
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (progress == MAP_FAILED) {
    std::perror("mmap");
    return 2;
  }
  std::uint64_t scenarios = 0;
  std::uint64_t points = 0;
  for (const Scenario& scenario :
       options.canaries ? test::memory_canaries() : faults::scenarios()) {
    if (!options.scenario.empty() && options.scenario != scenario.name) continue;
    ++scenarios;
    progress->points = 0;
    sweep(scenario, options, *progress);
    points += progress->points;
  }
  std::printf("%llu scenarios, %llu allocations, %llu runs, %llu out of time, %llu violations\n",
              static_cast<unsigned long long>(scenarios), static_cast<unsigned long long>(points),
              static_cast<unsigned long long>(progress->runs),
              static_cast<unsigned long long>(progress->out_of_time),
              static_cast<unsigned long long>(progress->violations));
  return scenarios == 0 || progress->violations != 0 ? 1 : 0;
}
