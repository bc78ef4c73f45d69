// SPDX-License-Identifier: MIT
#include <tests/fuzz/choices.hpp>
#include <tests/fuzz/targets.hpp>
#include <tests/streams/reader_and_model.hpp>

namespace weir::fuzz {

void reader(std::string_view input) {
  constexpr int most_steps = 400;  // The model searches from the start, every time.
  Choices choices(input);
  const auto fed = static_cast<test::Fed>(choices.roll(3));
  test::ReaderAndModel both(choices, fed);
  for (int steps = most_steps; steps > 0 && !choices.empty() && both.step(); --steps) {
  }
  const std::string difference = both.finish();
  require(difference.empty(), "the reader is what its model is; " + difference);
}

}  // namespace weir::fuzz
