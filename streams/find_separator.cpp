// SPDX-License-Identifier: MIT
#include <weir/streams/find_separator.hpp>

#include <cstring>

namespace weir::detail {

std::size_t find_separator(std::string_view haystack, std::string_view separator,
                           std::size_t from) noexcept {
  // The last byte, because it is the rare one in practice: of "\r\n" and "\r\n\r\n" a stray "\n" is
  // likelier to be the real end than a stray "\r".
  const std::size_t before_last = separator.size() - 1;
  const char last = separator[before_last];
  std::size_t at = from + before_last;
  while (at < haystack.size()) {
    const void* hit = std::memchr(haystack.data() + at, last, haystack.size() - at);
    if (hit == nullptr) return not_found;
    at = static_cast<std::size_t>(static_cast<const char*>(hit) - haystack.data());
    const std::size_t start = at - before_last;
    if (std::memcmp(haystack.data() + start, separator.data(), before_last) == 0) return start;
    ++at;
  }
  return not_found;
}

}  // namespace weir::detail
