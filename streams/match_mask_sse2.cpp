// SPDX-License-Identifier: MIT
//
// SSE2, which every x86-64 has.
#include <weir/streams/match_mask.hpp>

#include <emmintrin.h>

#include <weir/streams/match_kernels.hpp>
#include <weir/streams/match_vectors.hpp>

namespace weir::detail {
namespace sse2 {
namespace {

struct Sse2 {
  using Vector = __m128i;

  static Vector of(char byte) noexcept { return _mm_set1_epi8(byte); }
  static Vector equal(const char* at, Vector vector) noexcept {
    return _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)), vector);
  }
  static std::uint64_t mask(Vector a) noexcept {
    return static_cast<std::uint32_t>(_mm_movemask_epi8(a));
  }
  static std::uint64_t mask(Vector a, Vector b, Vector c, Vector d) noexcept {
    if (mask(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d))) == 0) return 0;
    return mask(a) | mask(b) << 16 | mask(c) << 32 | mask(d) << 48;
  }
};

MatchBlock first_block(const char* at, std::size_t count, char byte) noexcept {
  return OneByte<Sse2>(byte).first_block(at, count, 0);
}

MatchBlock first_pair_block(const char* at, std::size_t count, char first, char second,
                            std::uint32_t gap) noexcept {
  return first_pair_block_of<Sse2>(at, count, {first, second, gap});
}

std::uint64_t search_byte(MatchWindow& window, const char* at, std::size_t count) noexcept {
  return window.take(first_block(at, count, window.bytes.first), count);
}

std::uint64_t search_pair(MatchWindow& window, const char* at, std::size_t count) noexcept {
  const BytePair& bytes = window.bytes;
  return window.take(first_pair_block(at, count, bytes.first, bytes.second, bytes.gap), count);
}

}  // namespace
}  // namespace sse2

constinit const MatchKernels sse2_kernels = {"sse2", sse2::first_block, sse2::first_pair_block,
                                             sse2::search_byte, sse2::search_pair};

}  // namespace weir::detail
