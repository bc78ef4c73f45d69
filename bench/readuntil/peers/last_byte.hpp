// Internal: used by the bare loops of the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace weir::bench {

/// What one writes for "\r\n": memchr for the last byte, and a look at those before it.
struct LastByte {
  std::string_view separator;

  const char* operator()(const char* begin, const char* end) const {
    const std::size_t before = separator.size() - 1;
    const char* from = begin + before;
    while (from < end) {
      const void* hit = std::memchr(from, separator.back(), static_cast<std::size_t>(end - from));
      if (hit == nullptr) break;
      const char* const start = static_cast<const char*>(hit) - before;
      if (std::memcmp(start, separator.data(), before) == 0) return start;
      from = start + separator.size();
    }
    return end;
  }
};

}  // namespace weir::bench
