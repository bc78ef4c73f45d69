// SPDX-License-Identifier: MIT
//
// AVX2: 32 bytes a vector, two vectors a block. Every function that touches one carries the
// attribute: the rest of the library, and what the linker may share with it, stays x86-64.
#include <weir/streams/match_mask.hpp>

#include <immintrin.h>

#include <weir/streams/loads.hpp>
#include <weir/streams/match_kernels.hpp>

namespace weir::detail {
namespace {

constexpr std::size_t block_bytes = 64;

/// Compares vectors with one byte.
class OneByte {
 public:
  [[gnu::target("avx2")]] explicit OneByte(char byte) noexcept : all_(_mm256_set1_epi8(byte)) {}

  /// 0xff where a match is.
  [[gnu::target("avx2")]] __m256i matches(const char* at) const noexcept {
    note_load(at, 32);
    return _mm256_cmpeq_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), all_);
  }

 private:
  __m256i all_;
};

/// The same for two bytes.
class TwoBytes {
 public:
  [[gnu::target("avx2")]] explicit TwoBytes(BytePair pair) noexcept
      : first_(pair.first), second_(pair.second), gap_(pair.gap) {}

  [[gnu::target("avx2")]] __m256i matches(const char* at) const noexcept {
    return _mm256_and_si256(first_.matches(at), second_.matches(at + gap_));
  }

 private:
  OneByte first_;
  OneByte second_;
  std::size_t gap_;
};

[[gnu::target("avx2")]] std::uint64_t bits(__m256i matches) noexcept {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(matches));
}

template <class Pattern>
[[gnu::target("avx2")]] std::uint64_t mask_of_block(const char* at,
                                                    const Pattern& pattern) noexcept {
  const __m256i low = pattern.matches(at);
  const __m256i high = pattern.matches(at + 32);
  // Most blocks of a long record are empty: one question for both.
  if (_mm256_testz_si256(_mm256_or_si256(low, high), _mm256_or_si256(low, high)) != 0) return 0;
  return bits(low) | bits(high) << 32;
}

template <class Pattern>
[[gnu::target("avx2")]] bool any_in_two_blocks(const char* at, const Pattern& pattern) noexcept {
  const __m256i first = _mm256_or_si256(pattern.matches(at), pattern.matches(at + 32));
  const __m256i second = _mm256_or_si256(pattern.matches(at + 64), pattern.matches(at + 96));
  return bits(_mm256_or_si256(first, second)) != 0;
}

/// Where at least 64 positions are.
template <class Pattern>
[[gnu::target("avx2")]] MatchBlock first_block_of(const char* at, std::size_t count,
                                                  const Pattern& pattern) noexcept {
  std::size_t i = 0;
  for (; count - i >= block_bytes; i += block_bytes) {
    if (const std::uint64_t mask = mask_of_block(at + i, pattern)) return {i, mask};
  }
  const std::size_t left = count - i;
  if (left == 0) return {count, 0};
  // The last 64: those that have been looked at fall out.
  const std::uint64_t mask =
      mask_of_block(at + count - block_bytes, pattern) >> (block_bytes - left);
  return mask != 0 ? MatchBlock{i, mask} : MatchBlock{count, 0};
}

[[gnu::target("avx2")]] MatchBlock first_block(const char* at, std::size_t count,
                                               char byte) noexcept {
  if (count < block_bytes) return sse2_kernels.first_block(at, count, byte);
  return first_block_of(at, count, OneByte(byte));
}

[[gnu::target("avx2")]] MatchBlock first_pair_block(const char* at, std::size_t count,
                                                    BytePair pair) noexcept {
  if (count < block_bytes) return sse2_kernels.first_pair_block(at, count, pair);
  return first_block_of(at, count, TwoBytes(pair));
}

}  // namespace

constinit const MatchKernels avx2_kernels = {"avx2", first_block, first_pair_block};

}  // namespace weir::detail
