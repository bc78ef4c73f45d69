// SPDX-License-Identifier: MIT
// Runs simulations: ./dev sim starts it.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <tests/sim/world.hpp>
int main(int argc, char** argv) {
  using namespace weir::sim;
  const std::uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const std::uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  std::uint64_t events = 0;
  int bad = 0;
  for (std::uint64_t i = seed; i < seed + count; ++i) {
    const Script script = make_script(i);
    const Result result = run(script, count == 1);
    events += result.events;
    for (const auto& line : result.trace) std::printf("%s\n", line.c_str());
    if (count == 1) std::printf("%s", to_string(script).c_str());
    if (!result.violation.empty()) {
      std::printf("seed %llu: %s\n", (unsigned long long)i, result.violation.c_str());
      if (++bad > 20) break;
    }
  }
  std::printf("%llu events\n", (unsigned long long)events);
}
