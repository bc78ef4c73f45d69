// SPDX-License-Identifier: MIT
//
// The obvious version of every other match_mask_NAME.cpp, and what they are compared with.
#include <weir/streams/match_mask.hpp>

#include <algorithm>

#include <weir/streams/loads.hpp>
#include <weir/streams/match_kernels.hpp>

namespace weir::detail {
namespace scalar {
namespace {

constexpr std::size_t block_bytes = 64;

/// The first block with a position that `matches`.
template <class Matches>
MatchBlock first_block_of(std::size_t count, Matches matches) noexcept {
  for (std::size_t block = 0; block < count; block += block_bytes) {
    std::uint64_t mask = 0;
    const std::size_t end = std::min(count, block + block_bytes);
    for (std::size_t i = block; i < end; ++i) {
      if (matches(i)) mask |= std::uint64_t{1} << (i - block);
    }
    if (mask != 0) return {block, mask};
  }
  return {count, 0};
}

MatchBlock first_block(const char* at, std::size_t count, char byte) noexcept {
  return first_block_of(count, [=](std::size_t i) {
    note_load(at + i, 1);
    return at[i] == byte;
  });
}

MatchBlock first_pair_block(const char* at, std::size_t count, char first, char second,
                            std::uint32_t gap) noexcept {
  return first_block_of(count, [=](std::size_t i) {
    note_load(at + i, 1);
    note_load(at + i + gap, 1);
    return at[i] == first && at[i + gap] == second;
  });
}

std::uint64_t search_byte(MatchWindow& window, const char* at, std::size_t count) noexcept {
  return window.take(first_block(at, count, window.bytes.first), count);
}

std::uint64_t search_pair(MatchWindow& window, const char* at, std::size_t count) noexcept {
  const BytePair& bytes = window.bytes;
  return window.take(first_pair_block(at, count, bytes.first, bytes.second, bytes.gap), count);
}

}  // namespace
}  // namespace scalar

constinit const MatchKernels scalar_kernels = {"scalar", scalar::first_block,
                                               scalar::first_pair_block, scalar::search_byte,
                                               scalar::search_pair};

}  // namespace weir::detail
