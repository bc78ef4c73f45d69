// Internal: used by match_mask_sse2, match_mask_neon.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <weir/streams/loads.hpp>

namespace weir::detail {

// What is too short for a vector: 1 to 15 bytes, in words of 8. Each way of loading fewer than 8
// overlaps itself, so that nothing outside the bytes is read. Little-endian: byte 0 is the lowest.

/// The word of `count` bytes, 1 to 8, at `at`; zero above them.
inline std::uint64_t load_word(const char* at, std::size_t count) noexcept {
  if (count == 8) {
    std::uint64_t word = 0;
    note_load(at, 8);
    std::memcpy(&word, at, 8);
    return word;
  }
  if (count >= 4) {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    note_load(at, 4);
    note_load(at + count - 4, 4);
    std::memcpy(&low, at, 4);
    std::memcpy(&high, at + count - 4, 4);
    return low | std::uint64_t{high} << (8 * (count - 4));
  }
  // Of one byte all three are the same, of two the last two are.
  note_load(at, count);
  const auto byte = [at](std::size_t i) {
    return std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * i);
  };
  return byte(0) | byte(count / 2) | byte(count - 1);
}

/// Bit i: byte i of `word` is `byte`.
inline std::uint64_t match_mask_word(std::uint64_t word, char byte) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t lows = 0x7f7f7f7f7f7f7f7f;
  const std::uint64_t differs = word ^ (ones * static_cast<unsigned char>(byte));
  // The top bit of each byte stays 0 where the byte is 0: nothing is carried into the next one.
  const std::uint64_t zeros = ~(((differs & lows) + lows) | differs) & ~lows;
  return (zeros >> 7) * 0x0102040810204080 >> 56;  // Gathers the eight bits in the highest byte.
}

/// Bit i: byte i of the `count` at `at`, 0 to 15 of them, is `byte`.
inline std::uint64_t match_mask_words(const char* at, std::size_t count, char byte) noexcept {
  if (count == 0) return 0;
  if (count < 8) {
    return match_mask_word(load_word(at, count), byte) & ((std::uint64_t{1} << count) - 1);
  }
  return match_mask_word(load_word(at, 8), byte) |
         match_mask_word(load_word(at + count - 8, 8), byte) << (count - 8);
}

}  // namespace weir::detail
