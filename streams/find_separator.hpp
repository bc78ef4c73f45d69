// Internal: used by the reader's state.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::detail {

inline constexpr std::size_t not_found = static_cast<std::size_t>(-1);

/// Where `separator` (one byte or more) first starts in `haystack` at `from` or later; not_found if
/// nowhere.
///
/// Cost      memchr for its last byte, and a comparison for every hit. Reads nothing past the end
///           of the haystack.
std::size_t find_separator(std::string_view haystack, std::string_view separator,
                           std::size_t from) noexcept;

}  // namespace weir::detail
