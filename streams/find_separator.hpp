// Internal: used by the reader's state, find_separator_scalar, two_way.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

#include <weir/streams/match_mask.hpp>

namespace weir::detail {

inline constexpr std::size_t not_found = static_cast<std::size_t>(-1);

/// Where `separator` (one byte or more) first starts in `haystack` at `from` or later; not_found if
/// nowhere.
///
/// Cost      A byte by its match mask; more by the mask of two of its bytes, and a comparison for
///           every hit. Linear whatever the bytes are: where hits that are none pile up, it goes on
///           with find_two_way(). Reads at most 3 bytes for each one of the haystack, and a few
///           hundred more a call (a vector counts its width); nothing outside the haystack.
std::size_t find_separator(std::string_view haystack, std::string_view separator,
                           std::size_t from) noexcept;

/// The same by one implementation: for tests and benchmarks that compare them.
std::size_t find_separator_by(const MatchKernels& kernels, std::string_view haystack,
                              std::string_view separator, std::size_t from) noexcept;

}  // namespace weir::detail
