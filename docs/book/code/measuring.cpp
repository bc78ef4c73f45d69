// SPDX-License-Identifier: MIT
// What the chapter "Measuring honestly" shows.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/streams/streams.hpp>

#include "stage.hpp"

using namespace std::chrono_literals;

namespace {

constexpr int port = 4000;

weir::Coro<> echo(weir::StreamReader reader, weir::StreamWriter writer) {
  for (;;) {
    const std::string_view line = co_await reader.readline_view();
    if (line.empty()) break;
    writer.write(line);
    co_await writer.drain();
  }
}

// [ratio]
/// How many times as long `ours` takes as `theirs`: both run in turns, so that what disturbs the
/// one disturbs the other, and the median of the ratios is what is said.
double median_ratio(int rounds, const std::function<double()>& ours,
                    const std::function<double()>& theirs) {
  std::vector<double> ratios;
  for (int round = 0; round < rounds; ++round) {
    const bool ours_first = round % 2 == 0;  // Who comes second finds warmer caches.
    const double first = ours_first ? ours() : theirs();
    const double second = ours_first ? theirs() : ours();
    ratios.push_back(ours_first ? first / second : second / first);
  }
  const auto middle = ratios.begin() + rounds / 2;
  std::nth_element(ratios.begin(), middle, ratios.end());
  return *middle;
}
// [/ratio]

/// A machine that gets slower and slower, as a laptop that grows hot does.
struct HotMachine {
  double time_for(double work) { return work * (slowness += 0.01); }
  double slowness = 1;
};

}  // namespace

TEST_SUITE("book/measuring") {
  TEST_CASE("measuring: three lines that come together cost one receive and one send") {
    // [count]
    weir::FakeKernel memory;
    weir::CountingKernel kernel(memory);
    weir::EventLoop loop(kernel);
    loop.run_until_complete(weir::start_server(echo, "127.0.0.1", port));
    const int client = memory.dial(port);
    const auto run = [&loop] {
      loop.call_later(1s, [&loop] { loop.stop(); });
      loop.run_forever();
    };
    run();
    kernel.reset();
    memory.put(client, "a\nb\nc\n");
    run();
    CHECK(memory.take(client) == "a\nb\nc\n");
    CHECK(kernel.count(weir::Call::recv) == 1);
    CHECK(kernel.count(weir::Call::send) == 1);
    // [/count]
    loop.close();
  }

  TEST_CASE("measuring: a ratio of turns holds on a machine that grows hot") {
    HotMachine machine;
    // [turns]
    const double in_turns =
        median_ratio(21, [&] { return machine.time_for(2); }, [&] { return machine.time_for(1); });
    CHECK(in_turns > 1.95);
    CHECK(in_turns < 2.05);
    // [/turns]

    // [batches]
    HotMachine another;
    double ours = 0;
    double theirs = 0;
    for (int i = 0; i < 21; ++i) ours += another.time_for(2);
    for (int i = 0; i < 21; ++i) theirs += another.time_for(1);
    CHECK(ours / theirs < 1.75);  // All of the one, then all of the other: wrong by an eighth.
    // [/batches]
  }
}
