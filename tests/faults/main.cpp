// SPDX-License-Identifier: MIT
//
// Every scenario with every fault at every call: `./dev faults` builds and starts this. Each
// scenario has a process of its own, so that one that crashes or hangs is one violation, and not
// the end; the process that follows it goes on behind the case that did it.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <tests/faults/sweep.hpp>

namespace weir::faults {
namespace {

constexpr unsigned seconds_for_a_run = 5;  // 10,000 times what one takes.
constexpr int max_crashes = 20;            // Of one scenario; then it is given up.

struct Options {
  std::string scenario;
  std::string call;
  std::string fault;
  int jobs = 1;
  int shown = 5;  // Violations of one scenario that are printed in full.
  bool list = false;
  bool policy = false;
};

/// What a scenario's processes and the one that waits for them share.
struct Progress {
  std::atomic<std::uint64_t> at = 0;  // The case that runs.
  std::uint64_t sites = 0;            // Calls, and awaits to be cancelled at.
  std::uint64_t pairs = 0;            // Of a site and a fault, that it fits.
  std::uint64_t runs = 0;
  std::uint64_t violations = 0;
  std::array<char, 200> text{};  // Of the case that runs.
  int crashes = 0;
};

Progress* new_progress() {
  void* memory =
      ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("mmap");
    std::exit(2);
  }
  return new (memory) Progress;
}

void print_violation(const Scenario& scenario, const std::string& fault,
                     const std::vector<std::string>& wrong) {
  std::printf("VIOLATION  %s  %s\n", scenario.name, fault.c_str());
  for (const std::string& line : wrong) std::printf("    %s\n", line.c_str());
  std::printf("    repeat with: ./dev faults --scenario %s --fault '%s'\n", scenario.name,
              fault.c_str());
  std::fflush(stdout);
}

/// The child's part. Starts behind the cases that are done.
void sweep(const Scenario& scenario, const Options& options, Progress& progress) {
  const std::uint64_t begin = progress.at;
  std::strcpy(progress.text.data(), "(no fault)");
  ::alarm(seconds_for_a_run);
  const Sweep sweep(scenario);
  const std::vector<FaultCase> cases = sweep.cases(options.call);
  if (begin == 0) {
    for (const std::string& wrong : sweep.clean().violations) {
      ++progress.violations;
      print_violation(scenario, "(no fault)", {wrong});
    }
  }
  std::string site;  // Of the case before.
  for (std::uint64_t at = begin; at < cases.size(); ++at) {
    const FaultCase& fault = cases[at];
    const std::string text = fault.text();
    progress.at = at + 1;
    std::snprintf(progress.text.data(), progress.text.size(), "%s", text.c_str());
    ::alarm(seconds_for_a_run);
    const Sweep::Verdict verdict = sweep.play(fault);
    if (!verdict.wrong.empty()) {
      if (++progress.violations <= static_cast<std::uint64_t>(options.shown)) {
        print_violation(scenario, text, verdict.wrong);
      }
    }
    if (!verdict.struck) continue;
    ++progress.runs;
    if (!fault.lasting) ++progress.pairs;
  }
}

std::uint64_t count_sites(const Scenario& scenario, const std::string& call) {
  const Sweep sweep(scenario);
  std::uint64_t sites = 0;
  for (std::size_t i = 0; i < call_count; ++i) {
    const auto its = static_cast<Call>(i);
    if (call.empty() || call == to_string(its)) sites += sweep.calls(its);
  }
  return sites;
}

/// One scenario on its way through a child after the other.
struct Work {
  const Scenario* scenario;
  Progress* progress;
};

pid_t start(const Work& work, const Options& options) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child != 0) return child;
  sweep(*work.scenario, options, *work.progress);
  std::fflush(stdout);
  ::_exit(0);
}

/// Whether it has come to its end; if not, why not is printed.
bool ended(const Work& work, int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  Progress& progress = *work.progress;
  ++progress.violations;
  ++progress.crashes;
  std::string how = "exited with status " + std::to_string(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) {
    how = WTERMSIG(status) == SIGALRM ? "has hung for " + std::to_string(seconds_for_a_run) + " s"
                                      : "was killed by signal " + std::to_string(WTERMSIG(status));
  }
  print_violation(*work.scenario, progress.text.data(), {how});
  if (progress.crashes < max_crashes) return false;
  std::printf("%s is given up\n", work.scenario->name);
  return true;
}

std::vector<Work> run_all(const std::vector<const Scenario*>& wanted, const Options& options) {
  std::vector<Work> done;
  std::deque<Work> waiting;
  for (const Scenario* scenario : wanted) waiting.push_back({scenario, new_progress()});
  done.assign(waiting.begin(), waiting.end());
  std::map<pid_t, Work> running;
  while (!waiting.empty() || !running.empty()) {
    while (!waiting.empty() && static_cast<int>(running.size()) < options.jobs) {
      running.emplace(start(waiting.front(), options), waiting.front());
      waiting.pop_front();
    }
    int status = 0;
    const pid_t child = ::wait(&status);
    const Work work = running.at(child);
    running.erase(child);
    if (!ended(work, status)) waiting.push_front(work);
  }
  return done;
}

int run_one(const Scenario& scenario, const std::string& text) {
  const Sweep sweep(scenario);
  const std::optional<FaultCase> fault = parse_case(text);
  if (!fault) {
    std::fprintf(stderr, "weir_faults: no fault '%s'\n", text.c_str());
    return 2;
  }
  const Sweep::Verdict verdict = sweep.play(*fault);
  if (!verdict.wrong.empty()) print_violation(scenario, fault->text(), verdict.wrong);
  std::printf("%s: %s\n", fault->text().c_str(),
              !verdict.wrong.empty() ? "violated"
              : verdict.struck       ? "as it should be"
                                     : "does not fit that call");
  return verdict.wrong.empty() ? 0 : 1;
}

void print_list(const std::vector<const Scenario*>& wanted) {
  for (const Scenario* scenario : wanted) {
    const Sweep sweep(*scenario);
    std::printf("%-28s %5llu calls %6zu cases\n", scenario->name,
                static_cast<unsigned long long>(count_sites(*scenario, {})), sweep.cases().size());
  }
}

int run_command(const Options& options) {
  if (options.policy) {
    std::fputs(policy_page().c_str(), stdout);
    return 0;
  }
  std::vector<const Scenario*> wanted;
  for (const Scenario& scenario : scenarios()) wanted.push_back(&scenario);
  if (!options.scenario.empty()) {
    wanted = {find_scenario(options.scenario)};
    if (wanted.front() == nullptr) {
      std::fprintf(stderr, "weir_faults: no scenario '%s'\n", options.scenario.c_str());
      return 2;
    }
  }
  if (options.list) {
    print_list(wanted);
    return 0;
  }
  if (!options.fault.empty()) {
    if (!options.scenario.empty()) return run_one(*wanted.front(), options.fault);
    std::fputs("weir_faults: --fault wants a --scenario\n", stderr);
    return 2;
  }
  Progress sum;
  for (const Work& work : run_all(wanted, options)) {
    const Progress& its = *work.progress;
    if (its.violations > static_cast<std::uint64_t>(options.shown)) {
      std::printf("%s: %llu violations\n", work.scenario->name,
                  static_cast<unsigned long long>(its.violations));
    }
    sum.sites += count_sites(*work.scenario, options.call);
    sum.pairs += its.pairs;
    sum.runs += its.runs;
    sum.violations += its.violations;
  }
  std::printf("%zu scenarios, %llu sites, %llu pairs, %llu runs, %llu violations\n", wanted.size(),
              static_cast<unsigned long long>(sum.sites),
              static_cast<unsigned long long>(sum.pairs), static_cast<unsigned long long>(sum.runs),
              static_cast<unsigned long long>(sum.violations));
  return sum.violations == 0 && sum.runs != 0 ? 0 : 1;
}

/// False after an argument that is none.
bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (name == "--list") {
      options.list = true;
    } else if (name == "--policy") {
      options.policy = true;
    } else if (value == nullptr) {
      return false;
    } else if (name == "--scenario") {
      options.scenario = argv[++i];
    } else if (name == "--call") {
      options.call = argv[++i];
    } else if (name == "--fault") {
      options.fault = argv[++i];
    } else if (name == "--jobs") {
      options.jobs = std::max(std::atoi(argv[++i]), 1);
    } else if (name == "--shown") {
      options.shown = std::atoi(argv[++i]);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace weir::faults

int main(int argc, char** argv) {
  weir::faults::Options options;
  if (!weir::faults::parse(argc, argv, options)) {
    std::fputs(
        "usage: weir_faults [--jobs N] [--scenario NAME] [--call NAME] [--fault CASE] [--shown N] "
        "[--list] [--policy]\n",
        stderr);
    return 2;
  }
  return weir::faults::run_command(options);
}
