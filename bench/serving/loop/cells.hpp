// Internal: used by the programs of the loop benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <time.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace weir::bench {

inline constexpr std::uint64_t operations = 400'000;

inline double ns_on(clockid_t clock) {
  timespec now;
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// What `work` takes of this thread's processor time, in ns for each of `count`: what it waits for
/// a deadline does not count.
template <class Work>
double ns_for_each(std::uint64_t count, const Work& work) {
  const double start = ns_on(CLOCK_THREAD_CPUTIME_ID);
  work();
  return (ns_on(CLOCK_THREAD_CPUTIME_ID) - start) / static_cast<double>(count);
}

/// The same of the clock on the wall: where two threads wait for each other.
template <class Work>
double wall_ns_for_each(std::uint64_t count, const Work& work) {
  const double start = ns_on(CLOCK_MONOTONIC);
  work();
  return (ns_on(CLOCK_MONOTONIC) - start) / static_cast<double>(count);
}

/// `count` delays, the same in every program: spread over `spread`, after `least`.
inline std::vector<std::chrono::nanoseconds> delays(std::size_t count,
                                                    std::chrono::nanoseconds least,
                                                    std::chrono::nanoseconds spread) {
  std::mt19937_64 random(1);
  std::vector<std::chrono::nanoseconds> found(count);
  for (auto& delay : found)
    delay = least + std::chrono::nanoseconds(static_cast<std::int64_t>(
                        random() % static_cast<std::uint64_t>(spread.count())));
  return found;
}
inline std::vector<std::chrono::nanoseconds> far_delays(std::size_t count) {
  return delays(count, std::chrono::hours(1), std::chrono::hours(1));
}
inline std::vector<std::chrono::nanoseconds> near_delays(std::size_t count) {
  return delays(count, std::chrono::nanoseconds(0), std::chrono::milliseconds(20));
}

/// Name and work of a cell; the argument says how many timers are armed.
using Cells = std::map<std::string, std::function<double(std::size_t armed)>>;

/// PROGRAM CELL [ARMED] prints nanoseconds for each operation.
inline int run_cell(const Cells& cells, int argc, char** argv) {
  const auto found = argc > 1 ? cells.find(argv[1]) : cells.end();
  if (found == cells.end()) {
    std::fputs("no such cell\n", stderr);
    return 2;
  }
  std::printf("%.2f\n", found->second(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 0));
  return 0;
}

}  // namespace weir::bench
