// Internal: used by the searches.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace weir::detail {

/// Stands before everything that a search reads of the haystack: `count` bytes at `at`. It does
/// nothing. tests/streams/counted builds the searches with one that counts, and that checks where.
inline void note_load(const char* at, std::size_t count) noexcept {
  static_cast<void>(at);
  static_cast<void>(count);
}

}  // namespace weir::detail
