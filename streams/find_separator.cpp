// SPDX-License-Identifier: MIT
#include <weir/streams/find_separator.hpp>

#include <bit>
#include <cstdint>

#include <weir/streams/find_separator_scalar.hpp>
#include <weir/streams/match_kernels.hpp>
#include <weir/streams/separator_probe.hpp>
#include <weir/streams/two_way.hpp>

namespace weir::detail {
namespace {

std::size_t first_of(const MatchBlock& block) noexcept {
  if (block.mask == 0) return not_found;
  return block.offset + static_cast<std::size_t>(std::countr_zero(block.mask));
}

/// Separators of 3 bytes and more.
std::size_t find_long(const MatchKernels& kernels, std::string_view haystack,
                      std::string_view separator) noexcept {
  const Probe probe = probe_for(separator);
  const std::size_t starts = haystack.size() - separator.size() + 1;
  std::size_t bytes_compared = 0;
  for (std::size_t i = 0; i < starts;) {
    const char* const at = haystack.data() + i;
    const MatchBlock block =
        kernels.first_pair_block(at + probe.lead, starts - i, probe.first, probe.last, probe.gap);
    for (std::uint64_t mask = block.mask; mask != 0; mask &= mask - 1) {
      const std::size_t start = i + first_of({block.offset, mask});
      if (is_at(haystack.data() + start, separator, bytes_compared)) return start;
      // The probe reads 2 bytes a position. A quarter of a byte more is for candidates, on average:
      // beyond that they cost more than the search that needs no luck.
      if (bytes_compared <= 256 + start / 4) continue;
      const std::size_t rest = find_two_way(haystack.substr(start + 1), separator);
      return rest == not_found ? not_found : start + 1 + rest;
    }
    i += block.offset + 64;
  }
  return not_found;
}

std::size_t find_in(const MatchKernels& kernels, std::string_view haystack,
                    std::string_view separator) noexcept {
  const char* const at = haystack.data();
  const std::size_t starts = haystack.size() - separator.size() + 1;
  if (separator.size() == 1) return first_of(kernels.first_block(at, starts, separator[0]));
  if (separator.size() == 2) {
    return first_of(kernels.first_pair_block(at, starts, separator[0], separator[1], 1));
  }
  return find_long(kernels, haystack, separator);
}

}  // namespace

std::size_t find_separator_by(const MatchKernels& kernels, std::string_view haystack,
                              std::string_view separator, std::size_t from) noexcept {
  if (&kernels == &scalar_kernels) return find_separator_scalar(haystack, separator, from);
  if (haystack.size() < separator.size() || from > haystack.size() - separator.size()) {
    return not_found;
  }
  const std::size_t start = find_in(kernels, haystack.substr(from), separator);
  return start == not_found ? not_found : from + start;
}

std::size_t find_separator(std::string_view haystack, std::string_view separator,
                           std::size_t from) noexcept {
  return find_separator_by(known_match_kernels(), haystack, separator, from);
}

}  // namespace weir::detail
