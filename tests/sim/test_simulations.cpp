// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <tests/sim/content.hpp>
#include <tests/sim/shrink.hpp>
#include <tests/sim/world.hpp>

namespace weir::sim {
namespace {

using namespace std::chrono_literals;

// Those of ./dev sim are others: a short share for every ./dev test.
constexpr std::uint64_t first_seed = 1;
constexpr std::uint64_t seeds = 500;

Side side_with(Style style, std::vector<Step> steps) {
  Side side;
  side.style = style;
  side.steps = std::move(steps);
  return side;
}

Script echo_script() {
  Script script;
  script.horizon = 1s;
  ServerScript server;
  server.sides.push_back(
      side_with(Style::protocol, {{When::data, Do::write, 100}, {When::eof, Do::close}}));
  script.servers.push_back(server);
  ClientScript client;
  client.side = side_with(
      Style::protocol,
      {{When::made, Do::write, 10}, {When::data, Do::raise}, {When::after, Do::write_eof, 0, 1ms}});
  script.clients.push_back(client);
  return script;
}

TEST_SUITE_BEGIN("sim/simulations");

TEST_CASE("simulations: what must be true is true in the first 500 seeds") {
  for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    const std::string violation = run(make_script(seed)).violation;
    CHECK_MESSAGE(violation.empty(), "./dev sim --count 1 --seed ", seed, ": ", violation);
  }
}

TEST_CASE("simulations: the same seed does the same twice") {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) {
    const Script script = make_script(seed);
    CHECK(run(script).hash == run(script).hash);
  }
}

TEST_CASE("simulations: a seed does the same in every build") {
  // After a change of what the library asks the kernel for, and when, they are others:
  // ./dev sim --hashes --seed 1 --count 8 --jobs 1 prints them.
  constexpr std::uint64_t hashes[] = {
      0xf8543ffb727e4654, 0xe58b39e86c7f8bd7, 0x8a182286f7282ab3, 0xd39994a8dff5986c,
      0xaefb5d20b6f1d25d, 0x8e131a7f3785b848, 0xb87d6e072382e335, 0x5ede84a5115d5536,
  };
  std::uint64_t seed = 0;
  for (const std::uint64_t hash : hashes) CHECK(run(make_script(++seed)).hash == hash);
}

TEST_CASE("simulations: the first seeds meet every fault, and everything that is rare") {
  Marks marks{};
  std::array<std::uint64_t, sim_fault_count> injected{};
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Result result = run(make_script(seed));
    for (std::size_t i = 0; i < mark_count; ++i) marks[i] += result.marks[i];
    for (std::size_t i = 0; i < sim_fault_count; ++i) injected[i] += result.injected[i];
  }
  for (std::size_t i = 0; i < mark_count; ++i) CHECK_MESSAGE(marks[i] != 0, mark_names[i]);
  for (std::size_t i = 0; i < sim_fault_count; ++i)
    CHECK_MESSAGE(injected[i] != 0, to_string(static_cast<SimFault>(i)));
}

TEST_CASE("shrink: what is left is what it takes") {
  const auto raises = [](const Script& script) {
    const Marks marks = run(script).marks;
    return marks[static_cast<std::size_t>(Mark::raised)] != 0;
  };
  Script script = echo_script();
  script.faults.set(SimFault::latency, 500);
  REQUIRE(raises(script));
  const std::string expected =
      "faults: none\n"
      "server 0: tcp, backlog 10\n"
      "  client 1 finds a protocol:\n"
      "    data: write 1\n"
      "client 0: a protocol, to server 0 after 0.000000 s\n"
      "    made: write 1\n"
      "    data: raise\n";
  CHECK(to_string(shrink(script, raises)) == expected);
}

TEST_CASE("content: a piece is the same, however it is cut out") {
  const std::string whole = content(7, 0, 200);
  for (const std::size_t at : {0U, 1U, 15U, 16U, 17U, 150U})
    CHECK(content(7, at, 50) == whole.substr(at, 50));
}

TEST_CASE("content: another stream has another one") {
  CHECK(content(1, 0, 50) != content(2, 0, 50));
}

TEST_CASE("World: a trace is kept if it is asked for") {
  CHECK(run(echo_script()).trace.empty());
  CHECK(run(echo_script(), true).trace.size() > 20);
}

TEST_SUITE_END();

}  // namespace
}  // namespace weir::sim
