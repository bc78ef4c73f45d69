// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include <tests/streams/reader_and_model.hpp>

using weir::test::Fed;
using weir::test::ReaderAndModel;

namespace {

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : engine_(seed) {}
  /// 0 to count - 1. The same on every platform, which std::uniform_int_distribution is not.
  std::size_t roll(std::size_t count) { return engine_() % count; }
  bool one_in(std::size_t count) { return roll(count) == 0; }
  std::string bytes(std::string_view alphabet, std::size_t most) {
    std::string text;
    for (std::size_t left = roll(most + 1); left > 0; --left) {
      text += alphabet[roll(alphabet.size())];
    }
    return text;
  }

 private:
  std::mt19937 engine_;
};

void compare_scripts(std::uint32_t first_seed, std::uint32_t count, Fed fed) {
  for (std::uint32_t seed = first_seed; seed < first_seed + count; ++seed) {
    INFO("seed ", seed);
    Dice dice(seed);
    ReaderAndModel both(dice, fed);
    for (int steps = 40; steps > 0 && both.step(); --steps) {
    }
    REQUIRE(both.finish() == "");
  }
}

}  // namespace

// The reader against a small model of asyncio's, which knows no memo, no borrowed block and no node
// that waits. A failure prints the script.
TEST_SUITE("streams/reader_state") {
  TEST_CASE("ReaderState: agrees with the model over 3000 random scripts of copied chunks") {
    compare_scripts(1, 3000, Fed::copied);
  }

  TEST_CASE("ReaderState: agrees with the model over 3000 random scripts of lent chunks") {
    compare_scripts(100'001, 3000, Fed::lent);
  }

  TEST_CASE("ReaderState: agrees with the model over 3000 random scripts in the read block") {
    compare_scripts(200'001, 3000, Fed::in_the_read_block);
  }
}
