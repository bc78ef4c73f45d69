// SPDX-License-Identifier: MIT
//
// What the fuzzer has kept, as tests of every build: each input goes through its target once more.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <tests/fuzz/targets.hpp>

namespace {

/// Returns how many inputs there are. A target that finds something ends the program.
int replay(std::string_view name) {
  const auto* const target =
      std::ranges::find(weir::fuzz::targets, name, &weir::fuzz::Target::name);
  REQUIRE(target != std::end(weir::fuzz::targets));
  target->run({});
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(WEIR_FUZZ_CORPUS) / name)) {
    INFO(entry.path().string());
    std::ifstream file(entry.path(), std::ios::binary);
    target->run(std::string(std::istreambuf_iterator<char>(file), {}));
    ++count;
  }
  return count;
}

}  // namespace

TEST_SUITE("fuzz/replay") {
  TEST_CASE("reader: after every operation of the corpus the reader is what its model is") {
    CHECK(replay("reader") > 0);
  }

  TEST_CASE("write_buffer: holds what a string would hold for every input of the corpus") {
    CHECK(replay("write_buffer") > 0);
  }

  TEST_CASE("address: every address of the corpus is read and written as a plain parser does") {
    CHECK(replay("address") > 0);
  }

  TEST_CASE("separator: every search of the corpus ends where two loops would end") {
    CHECK(replay("separator") > 0);
  }

  TEST_CASE("timer_heap: the timers of the corpus leave as from a sorted list") {
    CHECK(replay("timer_heap") > 0);
  }

  TEST_CASE("transport: every connection of the corpus keeps its bytes and the order of calls") {
    CHECK(replay("transport") > 0);
  }

  TEST_CASE("resp: requests of the corpus do not depend on how they arrive") {
    CHECK(replay("resp") > 0);
  }
}
