// SPDX-License-Identifier: MIT
//
// Runs simulations, one a seed, on several threads; ./dev sim starts it. A seed that fails is made
// small and shown. Nothing depends on how many threads there are: a seed is a world of its own.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <tests/sim/shrink.hpp>
#include <tests/sim/world.hpp>

namespace weir::sim {
namespace {

constexpr std::size_t most_jobs = 64;
constexpr std::size_t trace_lines = 60;
constexpr unsigned seconds_a_run = 30;  // More than any run takes: it hangs.

struct Options {
  double seconds = 60;
  std::uint64_t seed = 1;
  std::uint64_t count = 0;  // 0: as many as the time allows.
  unsigned jobs = std::clamp(std::thread::hardware_concurrency(), 1U, unsigned{most_jobs});
  bool hashes = false;
  bool shrinks = true;
  bool trace = false;
};

/// What all seeds came to. Sums, so that their order does not matter.
struct Sum {
  std::uint64_t seeds = 0;
  std::uint64_t events = 0;
  std::uint64_t hash = 0;
  Marks marks{};
  std::array<std::uint64_t, sim_fault_count> injected{};
  std::uint64_t first_failed = 0;
  std::string violation;
  std::uint64_t failed = 0;

  void add(std::uint64_t seed, const Result& result) {
    ++seeds;
    events += result.events;
    hash += SimRandom::mixed(result.hash ^ SimRandom::mixed(seed));
    for (std::size_t i = 0; i < mark_count; ++i) marks[i] += result.marks[i] != 0 ? 1U : 0U;
    for (std::size_t i = 0; i < sim_fault_count; ++i)
      injected[i] += result.injected[i] != 0 ? 1U : 0U;
    if (result.violation.empty()) return;
    if (++failed > 1 && seed > first_failed) return;
    first_failed = seed;
    violation = result.violation;
  }
};

// Which seed each thread is at, for the last words of a crash.
std::array<std::atomic<std::uint64_t>, most_jobs> current_seed;

extern "C" void say_where_it_crashed(int number) {
  const auto say = [](std::string_view text) {
    static_cast<void>(!::write(STDERR_FILENO, text.data(), text.size()));
  };
  for (const std::atomic<std::uint64_t>& seed : current_seed) {
    if (seed == 0) continue;
    char digits[24];
    char* at = digits + sizeof digits;
    for (std::uint64_t left = seed; left != 0; left /= 10)
      *--at = static_cast<char>('0' + left % 10);
    say("\ncrashed, perhaps in: ./dev sim --count 1 --seed ");
    say({at, static_cast<std::size_t>(digits + sizeof digits - at)});
  }
  say("\n");
  std::signal(number, SIG_DFL);
  std::raise(number);
}

/// In a process of its own, so that a crash or a hang is a failure like any other.
bool fails_apart(const Script& script) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(seconds_a_run);
    std::signal(SIGABRT, SIG_DFL);
    std::signal(SIGSEGV, SIG_DFL);
    static_cast<void>(!std::freopen("/dev/null", "w", stderr));
    std::_Exit(run(script).violation.empty() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status != 0;
}

void print_failure(std::uint64_t seed, bool shrinks) {
  Script script = make_script(seed);
  if (shrinks && fails_apart(script)) {
    script = shrink(std::move(script), fails_apart);
    std::printf("\nThe same, made small:\n%s", to_string(script).c_str());
  } else {
    std::printf("\n%s", to_string(script).c_str());
  }
  std::printf("\nThe last that happens:\n");
  std::fflush(stdout);
  const Result result = run(script, true);
  const std::size_t begin =
      result.trace.size() > trace_lines ? result.trace.size() - trace_lines : 0;
  for (std::size_t i = begin; i < result.trace.size(); ++i)
    std::printf("%s\n", result.trace[i].c_str());
  std::printf("Found: %s\n", result.violation.c_str());
  std::printf("\nTo see it again: ./dev sim --seed %" PRIu64 " --count 1\n", seed);
}

Sum run_all(const Options& options) {
  Sum sum;
  std::mutex mutex;
  std::atomic<std::uint64_t> next = options.seed;
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(options.seconds);
  const auto work = [&](unsigned job) {
    while (options.count != 0 || std::chrono::steady_clock::now() < end) {
      const std::uint64_t seed = next++;
      if (options.count != 0 && seed >= options.seed + options.count) break;
      current_seed[job] = seed;
      const Result result = run(make_script(seed));
      const std::lock_guard lock(mutex);
      sum.add(seed, result);
      if (options.hashes) std::printf("%" PRIu64 " %016" PRIx64 "\n", seed, result.hash);
    }
    current_seed[job] = 0;
  };
  std::vector<std::thread> threads;
  for (unsigned job = 1; job < options.jobs; ++job) threads.emplace_back(work, job);
  work(0);
  for (std::thread& thread : threads) thread.join();
  return sum;
}

void print_counts(const char* title, std::size_t count,
                  const std::function<std::string_view(std::size_t)>& name,
                  const std::function<std::uint64_t(std::size_t)>& value) {
  std::printf("%s", title);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = std::string(name(i)) + " " + std::to_string(value(i));
    std::printf("%s%-30s", i % 4 == 0 ? "\n  " : "", text.c_str());
  }
  std::printf("\n");
}

bool read_options(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--hashes")
      options.hashes = true;
    else if (name == "--no-shrink")
      options.shrinks = false;
    else if (name == "--trace")
      options.trace = true;
    else if (i + 1 == argc)
      return false;
    else if (name == "--seconds")
      options.seconds = std::atof(argv[++i]);
    else if (name == "--seed")
      options.seed = std::strtoull(argv[++i], nullptr, 10);
    else if (name == "--count")
      options.count = std::strtoull(argv[++i], nullptr, 10);
    else if (name == "--jobs")
      options.jobs = std::clamp(static_cast<unsigned>(std::atoi(argv[++i])), 1U,
                                static_cast<unsigned>(most_jobs));
    else
      return false;
  }
  return true;
}

int run_main(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  if (options.trace) {
    const Script script = make_script(options.seed);
    std::printf("%s\n", to_string(script).c_str());
    for (const std::string& line : run(script, true).trace) std::printf("%s\n", line.c_str());
  }
  const Sum sum = run_all(options);
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!options.hashes) {
    print_counts(
        "seeds in which this was done to the program:", sim_fault_count,
        [](std::size_t i) { return to_string(static_cast<SimFault>(i)); },
        [&](std::size_t i) { return sum.injected[i]; });
    print_counts(
        "seeds in which this was seen:", mark_count, [](std::size_t i) { return mark_names[i]; },
        [&](std::size_t i) { return sum.marks[i]; });
  }
  if (sum.failed != 0) {
    std::printf("\nseed %" PRIu64 " fails: %s\n", sum.first_failed, sum.violation.c_str());
    print_failure(sum.first_failed, options.shrinks);
  }
  std::printf(
      "%" PRIu64 " seeds in %.1f s, %.0f events a seed, hash %016" PRIx64 ", %" PRIu64 " failed\n",
      sum.seeds, took,
      static_cast<double>(sum.events) / static_cast<double>(std::max<std::uint64_t>(sum.seeds, 1)),
      sum.hash, sum.failed);
  return sum.failed == 0 && sum.seeds != 0 ? 0 : 1;
}

}  // namespace
}  // namespace weir::sim

int main(int argc, char** argv) {
  weir::sim::Options options;
  if (!weir::sim::read_options(argc, argv, options)) {
    std::fputs("sim: see ./dev sim --help\n", stderr);
    return 2;
  }
  std::signal(SIGABRT, weir::sim::say_where_it_crashed);
  std::signal(SIGSEGV, weir::sim::say_where_it_crashed);
  return weir::sim::run_main(options);
}
