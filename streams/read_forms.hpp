// Internal: used by the awaitables of reads.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// into.assign(bytes), faster where the string need not grow. The bytes are the reader's: they do
/// not lie in `into`.
inline void replace(std::string& into, std::string_view bytes) {
  const std::size_t size = bytes.size();
  if (size > into.size()) {
    into.assign(bytes);
    return;
  }
  if (size < into.size()) into.erase(size);
  char* const to = into.data();
  if (size >= 16 && size <= 32) {  // Two that overlap: a call costs more than such a copy.
    std::memcpy(to, bytes.data(), 16);
    std::memcpy(to + size - 16, bytes.data() + size - 16, 16);
  } else if (size != 0) {  // An empty view may have no address, and memcpy() wants one.
    std::memcpy(to, bytes.data(), size);
  }
}

/// What a read gives: a string of its own, a view, the caller's string, or (next_line) an optional
/// string.
struct AsString {
  using Result = std::string;
  static Result of(std::string_view bytes) { return Result(bytes); }
};
struct IntoString {
  using Result = std::size_t;
  Result of(std::string_view bytes) const {
    replace(*into, bytes);
    return bytes.size();
  }
  std::string* into;
};
struct AsView {
  using Result = std::string_view;
  static Result of(std::string_view bytes) noexcept { return bytes; }
};
struct AsOptional {
  using Result = std::optional<std::string>;
  static Result of(std::string_view bytes) {
    return bytes.empty() ? std::nullopt : std::optional<std::string>(std::in_place, bytes);
  }
};

}  // namespace detail
}  // namespace weir
