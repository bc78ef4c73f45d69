// SPDX-License-Identifier: MIT
//
// The separator is cut in two. The right part is compared from the cut to the right, and a mismatch
// there after k equal bytes moves the separator k + 1 places on: no match begins in between. Then
// the left part is compared, from the cut to the left, and a mismatch there moves it on by a whole
// period. Both are true of a critical cut only: one at which the shortest word that repeats itself
// on both sides of it is as long as the period of the whole separator. Every word has one, and it
// is where the greater of two suffixes begins: the last one in alphabetical order, and the last one
// in the order of the reversed alphabet.
#include <weir/streams/two_way.hpp>

#include <algorithm>

#include <weir/streams/find_separator.hpp>
#include <weir/streams/loads.hpp>

namespace weir::detail {
namespace {

struct Cut {
  std::size_t at;
  std::size_t period;
};

/// Where the last suffix of `word` in alphabetical order begins, and the period of that suffix.
/// Linear: `other` never goes back, and `suffix` follows it.
Cut maximal_suffix(std::string_view word, bool reversed) noexcept {
  Cut suffix{0, 1};
  std::size_t other = 1;  // A suffix that may be greater; they are equal up to `same`.
  std::size_t same = 0;
  while (other + same < word.size()) {
    const auto mine = static_cast<unsigned char>(word[suffix.at + same]);
    const auto its = static_cast<unsigned char>(word[other + same]);
    if (mine == its) {
      if (++same < suffix.period) continue;
      other += suffix.period;
    } else if ((its < mine) != reversed) {
      other += same + 1;
      suffix.period = other - suffix.at;
    } else {
      suffix = {other, 1};
      ++other;
    }
    same = 0;
  }
  return suffix;
}

Cut critical_cut(std::string_view separator) noexcept {
  const Cut a = maximal_suffix(separator, false);
  const Cut b = maximal_suffix(separator, true);
  return a.at > b.at ? a : b;
}

char byte_at(std::string_view haystack, std::size_t i) noexcept {
  note_load(haystack.data() + i, 1);
  return haystack[i];
}

}  // namespace

std::size_t find_two_way(std::string_view haystack, std::string_view separator) noexcept {
  const std::size_t size = separator.size();
  Cut cut = critical_cut(separator);
  // Is the period of the right part that of the whole? If not, that of the whole is longer than
  // each part.
  const bool periodic = separator.substr(0, cut.at) == separator.substr(cut.period, cut.at);
  if (!periodic) cut.period = std::max(cut.at, size - cut.at) + 1;

  // After a step by a true period, its first `known` bytes are known to be equal.
  std::size_t known = 0;
  for (std::size_t start = 0; start + size <= haystack.size();) {
    std::size_t right = std::max(cut.at, known);
    while (right < size && byte_at(haystack, start + right) == separator[right]) ++right;
    if (right < size) {
      start += right - cut.at + 1;
      known = 0;
      continue;
    }
    std::size_t left = cut.at;
    while (left > known && byte_at(haystack, start + left - 1) == separator[left - 1]) --left;
    if (left <= known) return start;
    start += cut.period;
    known = periodic ? size - cut.period : 0;
  }
  return not_found;
}

}  // namespace weir::detail
