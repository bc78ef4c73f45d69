// Internal: used by the targets of the fuzzer.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace weir::fuzz {

/// Ends the program if `holds` is false: the fuzzer keeps the input, a test fails.
inline void require(bool holds, std::string_view claim) {
  if (holds) return;
  std::fprintf(stderr, "\nthis does not hold: %.*s\n", static_cast<int>(claim.size()),
               claim.data());
  std::abort();
}

/// Decisions, made by the bytes of an input from its first to its last. One byte each where that
/// will do, so that changing a byte changes one decision. At the end every decision is 0: let 0 be
/// what leads to an end.
class Choices {
 public:
  explicit Choices(std::string_view bytes) noexcept : left_(bytes) {}

  bool empty() const noexcept { return left_.empty(); }
  /// 0 to count - 1.
  std::size_t roll(std::size_t count) {
    std::size_t number = 0;
    for (std::size_t most = count - 1; most > 0; most >>= 8) number = number << 8 | next();
    return count == 0 ? 0 : number % count;
  }
  bool one_in(std::size_t count) { return roll(count) == count - 1; }
  /// Up to `most` letters of the alphabet.
  std::string bytes(std::string_view alphabet, std::size_t most) {
    std::string text;
    for (std::size_t missing = roll(most + 1); missing > 0; --missing) {
      text += alphabet[roll(alphabet.size())];
    }
    return text;
  }
  /// Up to `most` bytes as they are.
  std::string_view take(std::size_t most) {
    const std::string_view taken = left_.substr(0, most);
    left_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() { return take(left_.size()); }

 private:
  unsigned char next() {
    const std::string_view byte = take(1);
    return byte.empty() ? 0 : static_cast<unsigned char>(byte[0]);
  }

  std::string_view left_;
};

}  // namespace weir::fuzz
