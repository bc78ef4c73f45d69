// Internal: used by find_separator and the reader's memo.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <weir/streams/loads.hpp>

namespace weir::detail {

/// Two bytes of a longer separator that tell the most: the last one, and the first one that differs
/// from it. Equal ones would hit everywhere in a run of them, which is what rulers and hostile
/// peers are made of.
struct Probe {
  std::size_t lead;   // Where the first one is.
  std::uint32_t gap;  // And the last one behind it.
  char first;
  char last;
};

inline Probe probe_for(std::string_view separator) noexcept {
  constexpr std::size_t most = 64 * 1024;  // Of a longer one the end tells enough.
  const char last = separator.back();
  const std::size_t begin = separator.size() - std::min(separator.size(), most);
  std::size_t lead = begin;
  while (lead < separator.size() && separator[lead] == last) ++lead;
  if (lead == separator.size()) lead = begin;  // They are all the same.
  return {lead, static_cast<std::uint32_t>(separator.size() - 1 - lead), separator[lead], last};
}

/// Whether both have the same Word at both ends of `count` bytes: so many that it fits, and at most
/// twice as many.
template <class Word>
bool same_ends(const char* a, const char* b, std::size_t count) noexcept {
  const auto same_at = [=](std::size_t i) {
    Word left;
    Word right;
    std::memcpy(&left, a + i, sizeof left);
    std::memcpy(&right, b + i, sizeof right);
    return left == right;
  };
  return same_at(0) && same_at(count - sizeof(Word));
}

/// memcmp() == 0 of 1 to 16 bytes, without the call.
inline bool same_short_bytes(const char* a, const char* b, std::size_t count) noexcept {
  if (count >= 8) return same_ends<std::uint64_t>(a, b, count);
  if (count >= 4) return same_ends<std::uint32_t>(a, b, count);
  if (count >= 2) return same_ends<std::uint16_t>(a, b, count);
  return *a == *b;
}

/// Whether `separator` is at `at`, by words of 8, of which the last one overlaps. Adds what it has
/// read to `bytes_read`.
inline bool is_at(const char* at, std::string_view separator, std::size_t& bytes_read) noexcept {
  const std::size_t size = separator.size();
  if (size <= 16) {
    note_load(at, size);
    bytes_read += size <= 8 ? 8 : 16;
    return same_short_bytes(at, separator.data(), size);
  }
  for (std::size_t i = 0;; i = std::min(i + 8, size - 8)) {
    note_load(at + i, 8);
    bytes_read += 8;
    if (!same_short_bytes(at + i, separator.data() + i, 8)) return false;
    if (i == size - 8) return true;
  }
}

}  // namespace weir::detail
