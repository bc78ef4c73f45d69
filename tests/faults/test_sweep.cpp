// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <tests/faults/sweep.hpp>
#include <tests/support/allocations.hpp>

namespace weir::faults {
namespace {

/// Everything that is wrong in any case of a canary, a line each.
std::string all_wrong(std::string_view name) {
  const Sweep sweep(*find_scenario(name));
  std::string all;
  for (const std::string& line : sweep.clean().violations) all += line + "\n";
  for (const FaultCase& fault : sweep.cases()) {
    for (const std::string& line : sweep.play(fault).wrong) all += line + "\n";
  }
  return all;
}

bool finds(const std::string& canary, const std::string& what) {
  return all_wrong(canary).find(what) != std::string::npos;
}

TEST_SUITE_BEGIN("faults/sweep");

TEST_CASE("canary: a descriptor that is leaked is found") {
  CHECK(finds("canary_leaked_descriptor", "is still open"));
}

TEST_CASE("canary: a descriptor that is closed twice is found") {
  CHECK(finds("canary_closed_twice", "misuse: close: descriptor 4 is not open"));
}

TEST_CASE("canary: a byte that is lost after a short send is found") {
  CHECK(finds("canary_lost_byte", "is not a beginning of what was sent"));
}

TEST_CASE("canary: a program that waits for ever after an error is found") {
  CHECK(finds("canary_hangs", "nobody should have noticed"));
}

TEST_CASE("canary: memory that is leaked after one error is found") {
  REQUIRE_FALSE(test::pools_are_on());
  CHECK(finds("canary_leaked_memory", "bytes were not given back"));
}

TEST_CASE("canary: a future that nobody ends is found") {
  CHECK(finds("canary_forgotten_future", "a future is pending after the loop was closed"));
}

TEST_CASE("cases: each of them is found again by its text") {
  const Sweep sweep(*find_scenario("echo"));
  for (const FaultCase& fault : sweep.cases()) {
    const std::optional<FaultCase> again = parse_case(fault.text());
    REQUIRE(again);
    CHECK(again->text() == fault.text());
    CHECK(again->known == fault.known);
  }
}

TEST_CASE("known_faults: no two of one call have one name") {
  std::vector<std::string> names;
  for (const KnownFault& known : known_faults()) {
    const std::string name = std::string(to_string(known.call)) + " " + name_of(known);
    CHECK(name.find('?') == std::string::npos);
    names.push_back(name);
  }
  CHECK(names.size() >= 200);
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

// The share of `./dev faults` that every test run gets: each case with a prime between them.
TEST_CASE("sweep: one case in 41 of every scenario is as it should be") {
  constexpr std::size_t step = 41;
  std::size_t struck = 0;
  std::size_t offset = 0;
  for (const Scenario& scenario : scenarios()) {
    const Sweep sweep(scenario);
    const std::vector<FaultCase> cases = sweep.cases();
    for (std::size_t at = offset++ % step; at < cases.size(); at += step) {
      const Sweep::Verdict verdict = sweep.play(cases[at]);
      struck += verdict.struck ? 1 : 0;
      for (const std::string& line : verdict.wrong) {
        FAIL_CHECK(std::string(scenario.name), " ", cases[at].text(), ": ", line);
      }
    }
  }
  CHECK(struck > 500);
}

TEST_SUITE_END();

}  // namespace
}  // namespace weir::faults
