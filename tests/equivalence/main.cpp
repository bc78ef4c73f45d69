// SPDX-License-Identifier: MIT
//
// Random scripts on all back ends; ./dev equivalence runs it. --help says how.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <tests/equivalence/system.hpp>

namespace equivalence {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  double seconds = 60;
  std::uint64_t seed = std::random_device()();
  std::uint64_t first = 0;
  std::uint64_t scripts = ~std::uint64_t{0};
  std::size_t jobs = 2;
};

struct Failure {
  Script script;
  const BackEnd* back_end = nullptr;  // Null: none.
};

/// What the processes share.
struct Board {
  std::atomic<std::uint64_t> next;       // the next script
  std::atomic<std::uint64_t> performed;  // scripts done
  std::atomic<std::uint64_t> runs;       // times a back end
  std::atomic<std::uint64_t> failures;
};

bool differs(const Script& script, const BackEnd& back_end) {
  return perform(script, back_end) != expected(script);
}

Failure failure_of(const Script& script, Board& board) {
  const bool with_dup = uses(script, Action::dup);
  for (const BackEnd& back_end : back_ends()) {
    if (with_dup && !back_end.has_dup) continue;
    ++board.runs;
    if (differs(script, back_end)) return {script, &back_end};
  }
  return {};
}

/// Leaves out what is not needed, as long as the back end differs.
void shrink(Failure& failure) {
  for (std::size_t part = failure.script.size() / 2; part > 0; part /= 2) {
    for (std::size_t at = 0; at < failure.script.size();) {
      Script less = failure.script;
      const auto begin = less.begin() + static_cast<std::ptrdiff_t>(at);
      less.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(part, less.size() - at)));
      if (differs(less, *failure.back_end)) {
        failure.script = less;
      } else {
        at += part;
      }
    }
  }
}

void print(const Failure& failure, std::uint64_t seed, std::uint64_t index, double after) {
  std::string text = "DIFFERENT after " + std::to_string(after) + " s: " + failure.back_end->name +
                     ", seed " + std::to_string(seed) + ", script " + std::to_string(index) + "\n";
  for (const Step& step : failure.script) text += "    " + to_string(step) + "\n";
  const Trace wanted = expected(failure.script);
  const Trace found = perform(failure.script, *failure.back_end);
  for (std::size_t i = 0; i < std::max(wanted.size(), found.size()); ++i) {
    const std::string ours = i < found.size() ? found[i] : "(nothing more)";
    const std::string model = i < wanted.size() ? wanted[i] : "(nothing more)";
    text += (ours == model ? "      " + ours : "    ! " + ours + "    the model: " + model) + "\n";
  }
  std::fwrite(text.data(), 1, text.size(), stdout);  // One write: other processes print too.
  std::fflush(stdout);
}

void work(const Options& options, Board& board, Clock::time_point start) {
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  while (board.failures == 0 && elapsed() < options.seconds) {
    const std::uint64_t index = options.first + board.next++;
    if (index - options.first >= options.scripts) return;
    Failure failure = failure_of(make_script(options.seed, index), board);
    ++board.performed;
    if (failure.back_end == nullptr) continue;
    const double after = elapsed();
    if (board.failures++ != 0) return;
    shrink(failure);
    print(failure, options.seed, index, after);
  }
}

int run(const Options& options) {
  void* const memory =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  Board& board = *new (memory) Board{};
  std::printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
  std::fflush(stdout);
  const Clock::time_point start = Clock::now();
  std::vector<pid_t> workers;
  for (std::size_t job = 0; job < options.jobs; ++job) {
    const pid_t worker = ::fork();
    if (worker == 0) {
      work(options, board, start);
      std::_Exit(0);
    }
    workers.push_back(worker);
  }
  bool died = false;
  for (const pid_t worker : workers) {
    int status = 0;
    died = ::waitpid(worker, &status, 0) != worker || status != 0 || died;
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (died) {
    std::printf("DIFFERENT after %f s: a process ended early, near script %llu\n", seconds,
                static_cast<unsigned long long>(options.first + board.next));
  }
  std::printf("%llu scripts, %llu runs on %zu back ends in %.1f s: %s\n",
              static_cast<unsigned long long>(board.performed),
              static_cast<unsigned long long>(board.runs), back_ends().size(), seconds,
              died || board.failures != 0 ? "DIFFERENT" : "all equal to the model");
  return died || board.failures != 0 ? 1 : 0;
}

[[noreturn]] void usage(int status) {
  std::fputs(
      "usage: equivalence [--seconds S] [--seed N] [--jobs J] [--first I] [--scripts N]\n"
      "Random scripts on every back end, each compared with the model. --first and --scripts say\n"
      "which of the seed's scripts: a failure names its own.\n",
      status == 0 ? stdout : stderr);
  std::exit(status);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--help") usage(0);
    if (i + 1 == argc) usage(2);
    const char* const value = argv[++i];
    if (name == "--seconds") {
      options.seconds = std::atof(value);
    } else if (name == "--seed") {
      options.seed = std::strtoull(value, nullptr, 10);
    } else if (name == "--jobs") {
      options.jobs = std::max<std::size_t>(1, std::strtoull(value, nullptr, 10));
    } else if (name == "--first") {
      options.first = std::strtoull(value, nullptr, 10);
    } else if (name == "--scripts") {
      options.scripts = std::strtoull(value, nullptr, 10);
    } else {
      usage(2);
    }
  }
  return options;
}

}  // namespace
}  // namespace equivalence

int main(int argc, char** argv) { return equivalence::run(equivalence::parse(argc, argv)); }
