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
//   mask(a)                      a bit for every 0xff, the lowest for the first byte
//   mask(a, b, c, d)             the same for 64 bytes; quick where there is none

template <class Simd>
class OneByte {
 public:
  explicit OneByte(char byte) noexcept : byte_(byte), all_(Simd::of(byte)) {}

  /// From the block that begins at `from`.
  MatchBlock first_block(const char* at, std::size_t count, std::size_t from) const noexcept {
    for (std::size_t i = from; i < count; i += block_bytes) {
      if (const std::uint64_t mask = mask_from(i, at, count)) return {i, mask};
    }
    return {count, 0};
  }
  /// Of the block that begins at `i`, and ends with the bytes if not after 64 positions.
  std::uint64_t mask_from(std::size_t i, const char* at, std::size_t count) const noexcept {
    if (count - i >= block_bytes) return mask_of_block(at + i);
    if (count < block_bytes) return mask_below_64(at + i, count - i);
    // The last 64: those that have been looked at fall out.
    return mask_of_block(at + count - block_bytes) >> (block_bytes - (count - i));
  }

 private:
  static constexpr std::size_t block_bytes = 64;

  typename Simd::Vector matches(const char* at) const noexcept {
    note_load(at, 16);
    return Simd::equal(at, all_);
  }
  /// Four vectors by hand: g++ 12 at -O2 does not unroll.
  std::uint64_t mask_of_block(const char* at) const noexcept {
    return Simd::mask(matches(at), matches(at + 16), matches(at + 32), matches(at + 48));
  }
  /// A vector that would end behind the last byte overlaps the one before it.
  std::uint64_t mask_below_64(const char* at, std::size_t count) const noexcept {
    if (count < 16) return match_mask_words(at, count, byte_);
    std::uint64_t mask = Simd::mask(matches(at + count - 16)) << (count - 16);
    for (std::size_t i = 0; i + 16 < count; i += 16) mask |= Simd::mask(matches(at + i)) << i;
    return mask;
  }

  char byte_;
  typename Simd::Vector all_;
};

/// Blocks that hold the second byte, then the first byte in them: a block of a long record is
/// loaded once, not twice.
template <class Simd>
MatchBlock first_pair_block_of(const char* at, std::size_t count, BytePair pair) noexcept {
  const OneByte<Simd> first(pair.first);
  const OneByte<Simd> second(pair.second);
  MatchBlock found{0, 0};
  for (std::size_t i = 0; i < count; i = found.offset + 64) {
    found = second.first_block(at + pair.gap, count, i);
    if (found.mask == 0) break;
    found.mask &= first.mask_from(found.offset, at, count);
    if (found.mask != 0) return found;
  }
  return {count, 0};
}

}  // namespace weir::detail
