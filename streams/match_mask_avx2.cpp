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

[[gnu::target("avx2")]] std::uint64_t bits(__m256i matches) noexcept {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(matches));
}

/// One question for both: most blocks of a long record are empty.
[[gnu::target("avx2")]] std::uint64_t mask_of(__m256i low, __m256i high) noexcept {
  if (bits(_mm256_or_si256(low, high)) == 0) return 0;
  return bits(low) | bits(high) << 32;
}

class OneByte {
 public:
  [[gnu::target("avx2")]] explicit OneByte(char byte) noexcept : all_(_mm256_set1_epi8(byte)) {}

  [[gnu::target("avx2")]] std::uint64_t mask_of_block(const char* at) const noexcept {
    return mask_of(matches(at), matches(at + 32));
  }
  /// The first of two blocks that has a match. No bit if neither has.
  [[gnu::target("avx2")]] MatchBlock first_of_two(const char* at) const noexcept {
    const __m256i a = matches(at);
    const __m256i b = matches(at + 32);
    const __m256i c = matches(at + 64);
    const __m256i d = matches(at + 96);
    const __m256i any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
    if (bits(any) == 0) return {0, 0};
    if (const std::uint64_t mask = mask_of(a, b)) return {0, mask};
    return {block_bytes, bits(c) | bits(d) << 32};
  }
  /// Where at least 64 positions are, `from` the one that is named.
  [[gnu::target("avx2"), gnu::noinline]] MatchBlock first_block(const char* at, std::size_t count,
                                                                std::size_t from) const noexcept {
    std::size_t i = from;
    // Two blocks one by one, as most records are short. Then two at a time: that takes a third off
    // the time of 16 KiB, and reads 64 bytes too many now and then.
    for (; i < from + 2 * block_bytes && count - i >= block_bytes; i += block_bytes) {
      if (const std::uint64_t mask = mask_of_block(at + i)) return {i, mask};
    }
    for (; count - i >= 2 * block_bytes; i += 2 * block_bytes) {
      const MatchBlock found = first_of_two(at + i);
      if (found.mask != 0) return {i + found.offset, found.mask};
    }
    for (; i < count; i += block_bytes) {
      if (const std::uint64_t mask = mask_from(i, at, count)) return {i, mask};
    }
    return {count, 0};
  }
  /// Of the block that begins at `i`, and ends with the bytes if not after 64 positions: then those
  /// before it fall out of the last 64. There are at least 64 in all.
  [[gnu::target("avx2")]] std::uint64_t mask_from(std::size_t i, const char* at,
                                                  std::size_t count) const noexcept {
    if (count - i >= block_bytes) return mask_of_block(at + i);
    return mask_of_block(at + count - block_bytes) >> (block_bytes - (count - i));
  }

 private:
  /// 0xff where a match is.
  [[gnu::target("avx2")]] __m256i matches(const char* at) const noexcept {
    note_load(at, 32);
    return _mm256_cmpeq_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), all_);
  }

  __m256i all_;
};

// The functions that go on after the first block stand alone: what they need to save would cost
// the short records, which have no second block.

[[gnu::target("avx2"), gnu::noinline]] MatchBlock first_block_from(std::size_t i, const char* at,
                                                                   std::size_t count,
                                                                   char byte) noexcept {
  return OneByte(byte).first_block(at, count, i);
}

[[gnu::target("avx2")]] MatchBlock first_block(const char* at, std::size_t count,
                                               char byte) noexcept {
  if (count < block_bytes) return sse2_kernels.first_block(at, count, byte);
  if (const std::uint64_t mask = OneByte(byte).mask_of_block(at)) return {0, mask};
  return first_block_from(block_bytes, at, count, byte);
}

/// Blocks that hold the second byte, then the first byte in them: a block of a long record is
/// loaded once, not twice.
[[gnu::target("avx2"), gnu::noinline]] MatchBlock first_pair_block_from(std::size_t i,
                                                                        const char* at,
                                                                        std::size_t count,
                                                                        BytePair pair) noexcept {
  const OneByte first(pair.first);
  const OneByte second(pair.second);
  MatchBlock found{0, 0};
  for (; i < count; i = found.offset + block_bytes) {
    found = second.first_block(at + pair.gap, count, i);
    if (found.mask == 0) break;
    found.mask &= first.mask_from(found.offset, at, count);
    if (found.mask != 0) return found;
  }
  return {count, 0};
}

[[gnu::target("avx2")]] MatchBlock first_pair_block(const char* at, std::size_t count, char first,
                                                    char second, std::size_t gap) noexcept {
  if (count < block_bytes) return sse2_kernels.first_pair_block(at, count, first, second, gap);
  // Short records end in the first blocks: a call for the rest costs more than looking there.
  std::size_t i = 0;
  for (; i < 4 * block_bytes && count - i >= block_bytes; i += block_bytes) {
    const std::uint64_t seconds = OneByte(second).mask_of_block(at + i + gap);
    if (seconds == 0) continue;
    const std::uint64_t mask = seconds & OneByte(first).mask_of_block(at + i);
    if (mask != 0) return {i, mask};
  }
  return first_pair_block_from(i, at, count, {first, second, gap});
}

}  // namespace

constinit const MatchKernels avx2_kernels = {"avx2", first_block, first_pair_block};

}  // namespace weir::detail
