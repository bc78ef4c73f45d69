// Internal: used by find_separator and the reader's state.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// Where matches are, 64 positions at a time: bit i of `mask` is set when there is one at
/// `offset + i`. A mask serves all the records that end in its 64 bytes, so that looking is paid
/// once a block, not once a record: `offset + std::countr_zero(mask)` is the first match, and
/// `mask & (mask - 1)` what is left without it.
struct MatchBlock {
  std::size_t offset;
  std::uint64_t mask;
};

/// Two bytes, the second one `gap` bytes behind the first.
struct BytePair {
  char first;
  char second;
  std::uint32_t gap = 1;
};

/// How far a stream has been searched for a byte or a pair, in positions of it, and the matches of
/// the last block.
///
/// The numbers that a search changes are no neighbours: g++ would put two of them together into one
/// vector first, and the next record waits for them.
struct MatchWindow {
  std::uint64_t searched = 0;  // No match ends here or before, but for those of the mask.
  BytePair bytes{};            // Of a single byte the first one.
  std::uint64_t mask = 0;
  std::uint64_t scanned = 0;  // How many positions have been looked at in all.
  std::uint64_t base = 0;     // A match starts at base + i if bit i of the mask is set.

  /// Takes what a search that began at `base` has said of `count` positions. Returns the mask.
  std::uint64_t take(const MatchBlock& block, std::size_t count) noexcept {
    const std::size_t block_end = block.offset + 64;
    const std::size_t looked_at = block_end < count ? block_end : count;
    base += block.offset;
    mask = block.mask;
    searched += looked_at;
    scanned += looked_at;
    return mask;
  }
};

/// One implementation of both searches, for one kind of processor.
struct MatchKernels {
  const char* name;
  MatchBlock (*first_block)(const char* at, std::size_t count, char byte) noexcept;
  // Not a BytePair: stored and loaded again as a whole, it would cost 3 ns of waiting.
  MatchBlock (*first_pair_block)(const char* at, std::size_t count, char first, char second,
                                 std::uint32_t gap) noexcept;
  // The same for a reader, which asks again and again: for the window's bytes from its base, which
  // lies at `at`. They take() what they find, so that their caller has nothing to save meanwhile,
  // and return the mask: a record that reads it from memory waits for it.
  std::uint64_t (*search_byte)(MatchWindow& window, const char* at, std::size_t count) noexcept;
  std::uint64_t (*search_pair)(MatchWindow& window, const char* at, std::size_t count) noexcept;
};

/// Those that this processor runs, the best one first, the plain loops ("scalar") last.
std::span<const MatchKernels* const> available_match_kernels() noexcept;

/// The best one, or the one that the environment variable WEIR_SIMD names (scalar, sse2, avx2,
/// neon). It is read once: by the first call that does not throw.
///
/// Errors    ValueError  WEIR_SIMD names none that this processor runs; the text lists them. The
///           functions below, which do not throw, end the program instead: whoever wants to
///           measure one implementation must not get another one.
const MatchKernels& match_kernels();
/// The same for a name, or the best one for an empty name.
const MatchKernels& select_match_kernels(std::string_view wanted);

/// The first of the blocks that begin at `at`, `at + 64`, and so on, that holds `byte`: its offset
/// from `at`, and all its matches. {count, 0} if there is none in the `count` bytes.
///
/// Shape     The last block ends with the bytes: it has fewer than 64 if 64 do not divide `count`.
/// Cost      Reads nothing outside the `count` bytes, and each of them once, but for up to 63 that
///           fill its last vectors and up to 64 behind the block that it finds. An indirect call.
///           SSE2 inlined here was measured instead: 0.05 ns less for each record of 8 bytes, and
///           twice the time of a long one (64 KiB of lines, Zen 4, g++ 12).
MatchBlock first_match_block(const char* at, std::size_t count, char byte) noexcept;

/// The same for pairs: `at[i] == pair.first && at[i + pair.gap] == pair.second`, i < count.
///
/// Cost      Reads nothing outside the `count + pair.gap` bytes: each of them once, those around a
///           `pair.second` twice.
MatchBlock first_match_block(const char* at, std::size_t count, BytePair pair) noexcept;

// ---- What follows is short, so that callers have no more than one call to make.

/// What match_kernels() has chosen, null before that. Whoever sees it sees a constant, and whoever
/// comes too early chooses the same: no order is needed.
extern constinit std::atomic<const MatchKernels*> chosen_match_kernels;

inline const MatchKernels& known_match_kernels() noexcept {
  const MatchKernels* chosen = chosen_match_kernels.load(std::memory_order_relaxed);
  return chosen != nullptr ? *chosen : match_kernels();
}

inline MatchBlock first_match_block(const char* at, std::size_t count, char byte) noexcept {
  return known_match_kernels().first_block(at, count, byte);
}

inline MatchBlock first_match_block(const char* at, std::size_t count, BytePair pair) noexcept {
  return known_match_kernels().first_pair_block(at, count, pair.first, pair.second, pair.gap);
}

}  // namespace detail
}  // namespace weir
