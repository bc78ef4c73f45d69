// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <set>
#include <string>

#include <tests/faults/scenario.hpp>

namespace weir::faults {
namespace {

TEST_SUITE_BEGIN("faults/scenarios");

TEST_CASE("scenarios: with no fault each of them ends well, the same every time") {
  for (const Scenario& scenario : scenarios()) {
    const std::string name = scenario.name;
    CAPTURE(name);
    std::string first;
    for (int round = 0; round < 2; ++round) {
      FakeKernel machine;
      Oracle oracle;
      run(scenario, {machine, machine, oracle});
      for (const std::string& violation : oracle.violations()) FAIL_CHECK(violation);
      CHECK(oracle.all_arrived());
      CHECK_FALSE(oracle.results().empty());
      std::string all = oracle.results();
      for (const Told& told : oracle.errors()) {
        all += told.text() + "\n";
        const bool meant = told.place != Place::loop;
        CHECK_MESSAGE(meant, told.text());
      }
      if (round == 0) first = all;
      CHECK(all == first);
    }
  }
}

TEST_CASE("scenarios: every name is used once") {
  std::set<std::string> names;
  for (const Scenario& scenario : scenarios()) CHECK(names.insert(scenario.name).second);
  CHECK(names.size() >= 40);
}

TEST_SUITE_END();

}  // namespace
}  // namespace weir::faults
