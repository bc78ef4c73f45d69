// Internal: used by match_mask_sse2, match_mask_neon.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include <weir/streams/loads.hpp>
#include <weir/streams/match_mask.hpp>
#include <weir/streams/match_words.hpp>

namespace weir::detail {

// Both searches, over vectors of 16 bytes. `Simd` is what a processor has:
//
//   Vector                       16 bytes
//   of(byte)                     16 times the byte
//   equal(at, vector)            0xff where the 16 bytes at `at` are the vector's, else 0
//   both(a, b)                   a and b
//   mask(a)                      a bit for every 0xff, the lowest for the first byte
//   mask(a, b, c, d)             the same for 64 bytes; quick where there is none

template <class Simd>
class OneByte {
 public:
  explicit OneByte(char byte) noexcept : byte_(byte), all_(Simd::of(byte)) {}

  typename Simd::Vector matches(const char* at) const noexcept {
    note_load(at, 16);
    return Simd::equal(at, all_);
  }
  std::uint64_t mask_below_16(const char* at, std::size_t count) const noexcept {
    return match_mask_words(at, count, byte_);
  }

 private:
  char byte_;
  typename Simd::Vector all_;
};

template <class Simd>
class TwoBytes {
 public:
  explicit TwoBytes(BytePair pair) noexcept
      : first_(pair.first), second_(pair.second), gap_(pair.gap) {}

  typename Simd::Vector matches(const char* at) const noexcept {
    return Simd::both(first_.matches(at), second_.matches(at + gap_));
  }
  std::uint64_t mask_below_16(const char* at, std::size_t count) const noexcept {
    return first_.mask_below_16(at, count) & second_.mask_below_16(at + gap_, count);
  }

 private:
  OneByte<Simd> first_;
  OneByte<Simd> second_;
  std::size_t gap_;
};

/// Of the 64 positions at `at`. Four vectors by hand: g++ 12 at -O2 does not unroll.
template <class Simd, class Pattern>
std::uint64_t mask_of_block(const char* at, const Pattern& pattern) noexcept {
  return Simd::mask(pattern.matches(at), pattern.matches(at + 16), pattern.matches(at + 32),
                    pattern.matches(at + 48));
}

/// Of 1 to 63 positions. A vector that would end behind the last one overlaps the one before it.
template <class Simd, class Pattern>
std::uint64_t mask_below_64(const char* at, std::size_t count, const Pattern& pattern) noexcept {
  if (count < 16) return pattern.mask_below_16(at, count);
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i + 16 < count; i += 16) mask |= Simd::mask(pattern.matches(at + i)) << i;
  return mask | Simd::mask(pattern.matches(at + count - 16)) << (count - 16);
}

template <class Simd, class Pattern>
MatchBlock first_block_of(const char* at, std::size_t count, const Pattern& pattern) noexcept {
  constexpr std::size_t block_bytes = 64;
  std::size_t i = 0;
  for (; count - i >= block_bytes; i += block_bytes) {
    if (const std::uint64_t mask = mask_of_block<Simd>(at + i, pattern)) return {i, mask};
  }
  const std::size_t left = count - i;
  if (left == 0) return {count, 0};
  const std::uint64_t mask =
      i == 0 ? mask_below_64<Simd>(at, left, pattern)
             // The last 64: those that have been looked at fall out.
             : mask_of_block<Simd>(at + count - block_bytes, pattern) >> (block_bytes - left);
  return mask != 0 ? MatchBlock{i, mask} : MatchBlock{count, 0};
}

}  // namespace weir::detail
