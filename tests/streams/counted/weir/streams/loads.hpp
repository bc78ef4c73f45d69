// Internal: used by test_search_loads, in the place of the library's.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::detail {

/// What a search has read of the haystack.
struct LoadCount {
  std::string_view haystack;
  std::size_t bytes = 0;
  std::size_t outside = 0;  // Of those loads that begin or end in the haystack.
};

inline LoadCount load_count;

/// Other loads are of the separator, and not counted.
inline void note_load(const char* at, std::size_t count) noexcept {
  const char* const begin = load_count.haystack.data();
  const char* const end = begin + load_count.haystack.size();
  if (at >= end || at + count <= begin) return;
  load_count.bytes += count;
  if (at < begin) load_count.outside += static_cast<std::size_t>(begin - at);
  if (at + count > end) load_count.outside += static_cast<std::size_t>(at + count - end);
}

}  // namespace weir::detail
