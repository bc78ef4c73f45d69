// SPDX-License-Identifier: MIT
//
// AVX2: 32 bytes a vector, two vectors a block. Every function that touches one carries the
// attribute: the rest of the library, and what the linker may share with it, stays x86-64.
#include <weir/streams/match_mask.hpp>

#include <immintrin.h>

#include <weir/streams/loads.hpp>
#include <weir/streams/match_kernels.hpp>

namespace weir::detail {
namespace avx2 {
namespace {

constexpr std::size_t block_bytes = 64;

[[gnu::target("avx2")]] std::uint64_t bits(__m256i matches) noexcept {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(matches));
}

struct TwoMasks {
  std::uint64_t first;
  std::uint64_t second;
};

class OneByte {
 public:
  [[gnu::target("avx2")]] explicit OneByte(char byte) noexcept : all_(_mm256_set1_epi8(byte)) {}

  /// One question for both halves: most blocks of a long record are empty.
  [[gnu::target("avx2")]] std::uint64_t mask_of_block(const char* at) const noexcept {
    const __m256i low = matches(at);
    const __m256i high = matches(at + 32);
    if (bits(_mm256_or_si256(low, high)) == 0) return 0;
    return bits(low) | bits(high) << 32;
  }
  /// The same where a match is expected: in one step less.
  [[gnu::target("avx2")]] std::uint64_t mask_of_likely_block(const char* at) const noexcept {
    return bits(matches(at)) | bits(matches(at + 32)) << 32;
  }
  /// Of two blocks, with one question for both.
  [[gnu::target("avx2")]] TwoMasks masks_of_two(const char* at) const noexcept {
    const __m256i a = matches(at);
    const __m256i b = matches(at + 32);
    const __m256i c = matches(at + 64);
    const __m256i d = matches(at + 96);
    const __m256i any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
    if (bits(any) == 0) return {0, 0};
    return {bits(a) | bits(b) << 32, bits(c) | bits(d) << 32};
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

// The functions that go on after the first block stand alone, and are called last: what they need
// to save would cost the short records, which have no second block.

/// From the block at `i`, where at least 64 positions are, some of them before `i` perhaps. Two
/// blocks at a time: that takes a third off the time of 16 KiB, and reads 64 bytes too many now and
/// then.
[[gnu::target("avx2"), gnu::noinline]] MatchBlock first_block_from(std::size_t i, const char* at,
                                                                   std::size_t count,
                                                                   char byte) noexcept {
  const OneByte search(byte);
  for (; i + 2 * block_bytes <= count; i += 2 * block_bytes) {
    const TwoMasks found = search.masks_of_two(at + i);
    if (found.first != 0) return {i, found.first};
    if (found.second != 0) return {i + block_bytes, found.second};
  }
  for (; i < count; i += block_bytes) {
    if (const std::uint64_t mask = search.mask_from(i, at, count)) return {i, mask};
  }
  return {count, 0};
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
  const char* const behind = at + pair.gap;
  for (; i + 2 * block_bytes <= count; i += 2 * block_bytes) {
    TwoMasks found = second.masks_of_two(behind + i);
    if (found.first != 0) found.first &= first.mask_of_likely_block(at + i);
    if (found.first != 0) return {i, found.first};
    if (found.second != 0) found.second &= first.mask_of_likely_block(at + i + block_bytes);
    if (found.second != 0) return {i + block_bytes, found.second};
  }
  for (; i < count; i += block_bytes) {
    std::uint64_t mask = second.mask_from(i, behind, count);
    if (mask != 0) mask &= first.mask_from(i, at, count);
    if (mask != 0) return {i, mask};
  }
  return {count, 0};
}

[[gnu::target("avx2")]] MatchBlock first_pair_block(const char* at, std::size_t count, char first,
                                                    char second, std::uint32_t gap) noexcept {
  if (count < block_bytes) return sse2_kernels.first_pair_block(at, count, first, second, gap);
  // Short records end in the first blocks, and candidates are looked at block by block: two blocks
  // at a time would read many of them twice.
  std::size_t i = 0;
  for (; i < 4 * block_bytes && count - i >= block_bytes; i += block_bytes) {
    std::uint64_t mask = OneByte(second).mask_of_block(at + i + gap);
    if (mask != 0) mask &= OneByte(first).mask_of_block(at + i);
    if (mask != 0) return {i, mask};
  }
  return first_pair_block_from(i, at, count, {first, second, gap});
}

/// Goes on behind two blocks that have no match.
[[gnu::target("avx2"), gnu::noinline]] std::uint64_t search_byte_on(MatchWindow& window,
                                                                    const char* at,
                                                                    std::size_t count) noexcept {
  return window.take(first_block_from(2 * block_bytes, at, count, window.bytes.first), count);
}

[[gnu::target("avx2"), gnu::noinline]] std::uint64_t search_pair_on(MatchWindow& window,
                                                                    const char* at,
                                                                    std::size_t count) noexcept {
  return window.take(first_pair_block_from(2 * block_bytes, at, count, window.bytes), count);
}

/// A match in the first two blocks: the usual case of a reader, in as few steps as there are.
[[gnu::target("avx2")]] std::uint64_t found_at_once(MatchWindow& window, std::uint64_t mask,
                                                    std::size_t block) noexcept {
  window.mask = mask;
  window.base += block;
  window.searched += block + block_bytes;
  window.scanned += block + block_bytes;
  return mask;
}

/// Less than two blocks: who asks and waits for an answer sends no more. 70 instructions fewer than
/// by vectors of 16 bytes.
[[gnu::target("avx2"), gnu::noinline]] std::uint64_t search_byte_in_few(
    MatchWindow& window, const char* at, std::size_t count) noexcept {
  if (count < block_bytes) return sse2_kernels.search_byte(window, at, count);
  if (const std::uint64_t mask = OneByte(window.bytes.first).mask_of_likely_block(at)) {
    return found_at_once(window, mask, 0);
  }
  return window.take(first_block_from(block_bytes, at, count, window.bytes.first), count);
}

[[gnu::target("avx2")]] std::uint64_t search_byte(MatchWindow& window, const char* at,
                                                  std::size_t count) noexcept {
  if (count < 2 * block_bytes) [[unlikely]]
    return search_byte_in_few(window, at, count);
  const OneByte search(window.bytes.first);
  if (const std::uint64_t mask = search.mask_of_likely_block(at)) {
    return found_at_once(window, mask, 0);
  }
  if (const std::uint64_t mask = search.mask_of_block(at + block_bytes)) {
    return found_at_once(window, mask, block_bytes);
  }
  return search_byte_on(window, at, count);
}

[[gnu::target("avx2")]] std::uint64_t search_pair(MatchWindow& window, const char* at,
                                                  std::size_t count) noexcept {
  if (count < 2 * block_bytes) [[unlikely]]
    return sse2_kernels.search_pair(window, at, count);
  const OneByte first(window.bytes.first);
  const OneByte second(window.bytes.second);
  const char* const behind = at + window.bytes.gap;
  if (std::uint64_t mask = second.mask_of_likely_block(behind)) {
    mask &= first.mask_of_likely_block(at);
    if (mask != 0) return found_at_once(window, mask, 0);
  }
  if (std::uint64_t mask = second.mask_of_block(behind + block_bytes)) {
    mask &= first.mask_of_likely_block(at + block_bytes);
    if (mask != 0) return found_at_once(window, mask, block_bytes);
  }
  return search_pair_on(window, at, count);
}

}  // namespace
}  // namespace avx2

constinit const MatchKernels avx2_kernels = {"avx2", avx2::first_block, avx2::first_pair_block,
                                             avx2::search_byte, avx2::search_pair};

}  // namespace weir::detail
