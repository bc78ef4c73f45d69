// Internal: used by find_separator.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::detail {

/// find_separator() byte by byte: the plain twin of the one that looks at 64 positions at a time.
/// WEIR_SIMD=scalar selects it.
///
/// Cost      Reads each byte once where the separator has one byte or two, at most twice where it
///           has more. About a nanosecond a byte.
std::size_t find_separator_scalar(std::string_view haystack, std::string_view separator,
                                  std::size_t from) noexcept;

}  // namespace weir::detail
