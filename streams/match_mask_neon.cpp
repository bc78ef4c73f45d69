// SPDX-License-Identifier: MIT
//
// NEON, which every AArch64 has. It has no movemask: of each 0xff one bit is kept, its place in a
// group of eight, and adding neighbours three times makes a byte of each group.
#include <weir/streams/match_mask.hpp>

#include <arm_neon.h>

#include <weir/streams/match_kernels.hpp>
#include <weir/streams/match_vectors.hpp>

namespace weir::detail {
namespace neon {
namespace {

struct Neon {
  using Vector = uint8x16_t;

  static Vector of(char byte) noexcept { return vdupq_n_u8(static_cast<std::uint8_t>(byte)); }
  static Vector equal(const char* at, Vector vector) noexcept {
    return vceqq_u8(vld1q_u8(reinterpret_cast<const std::uint8_t*>(at)), vector);
  }
  static std::uint64_t mask(Vector a) noexcept {
    const Vector none = vdupq_n_u8(0);
    return mask(a, none, none, none);
  }
  static std::uint64_t mask(Vector a, Vector b, Vector c, Vector d) noexcept {
    const Vector any = vorrq_u8(vorrq_u8(a, b), vorrq_u8(c, d));
    if (vmaxvq_u8(any) == 0) return 0;
    const Vector pairs_of_ab = vpaddq_u8(place(a), place(b));
    const Vector pairs_of_cd = vpaddq_u8(place(c), place(d));
    const Vector fours = vpaddq_u8(pairs_of_ab, pairs_of_cd);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(fours, fours)), 0);
  }

 private:
  static Vector place(Vector matches) noexcept {
    constexpr std::uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    return vandq_u8(matches, vld1q_u8(places));
  }
};

MatchBlock first_block(const char* at, std::size_t count, char byte) noexcept {
  return OneByte<Neon>(byte).first_block(at, count, 0);
}

MatchBlock first_pair_block(const char* at, std::size_t count, char first, char second,
                            std::uint32_t gap) noexcept {
  return first_pair_block_of<Neon>(at, count, {first, second, gap});
}

std::uint64_t search_byte(MatchWindow& window, const char* at, std::size_t count) noexcept {
  return window.take(first_block(at, count, window.bytes.first), count);
}

std::uint64_t search_pair(MatchWindow& window, const char* at, std::size_t count) noexcept {
  const BytePair& bytes = window.bytes;
  return window.take(first_pair_block(at, count, bytes.first, bytes.second, bytes.gap), count);
}

}  // namespace
}  // namespace neon

constinit const MatchKernels neon_kernels = {"neon", neon::first_block, neon::first_pair_block,
                                             neon::search_byte, neon::search_pair};

}  // namespace weir::detail
