// Internal: used by find_separator and the reader's memo.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <weir/streams/loads.hpp>
#include <weir/streams/match_words.hpp>

namespace weir::detail {

/// Two bytes of a longer separator that tell the most: the last one, and the first one that differs
/// from it. Equal ones would hit everywhere in a run of them, which is what rulers and hostile
/// peers are made of.
struct Probe {
  std::size_t lead;  // Where the first one is.
  std::size_t gap;   // And the last one behind it.
  char first;
  char last;
};

inline Probe probe_for(std::string_view separator) noexcept {
  const char last = separator.back();
  std::size_t lead = 0;
  while (lead < separator.size() && separator[lead] == last) ++lead;
  if (lead == separator.size()) lead = 0;  // They are all the same.
  return {lead, separator.size() - 1 - lead, separator[lead], last};
}

inline std::uint64_t word_at(const char* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Whether `separator` is at `at`, by words of 8, of which the last one overlaps. Adds what it has
/// read to `bytes_read`.
inline bool is_at(const char* at, std::string_view separator, std::size_t& bytes_read) noexcept {
  const std::size_t size = separator.size();
  if (size < 8) {
    bytes_read += 8;
    return load_word(at, size) == load_word(separator.data(), size);
  }
  for (std::size_t i = 0;; i = std::min(i + 8, size - 8)) {
    note_load(at + i, 8);
    bytes_read += 8;
    if (word_at(at + i) != word_at(separator.data() + i)) return false;
    if (i == size - 8) return true;
  }
}

}  // namespace weir::detail
