// SPDX-License-Identifier: MIT
#include <weir/streams/find_separator_scalar.hpp>

#include <weir/streams/find_separator.hpp>
#include <weir/streams/loads.hpp>
#include <weir/streams/two_way.hpp>

namespace weir::detail {
namespace {

std::size_t find_byte(std::string_view haystack, char byte) noexcept {
  for (std::size_t i = 0; i < haystack.size(); ++i) {
    note_load(haystack.data() + i, 1);
    if (haystack[i] == byte) return i;
  }
  return not_found;
}

/// Each byte is compared with the second one, and remembered if it is the first one.
std::size_t find_pair(std::string_view haystack, char first, char second) noexcept {
  bool after_first = false;
  for (std::size_t i = 0; i < haystack.size(); ++i) {
    note_load(haystack.data() + i, 1);
    if (after_first && haystack[i] == second) return i - 1;
    after_first = haystack[i] == first;
  }
  return not_found;
}

std::size_t find_scalar(std::string_view haystack, std::string_view separator) noexcept {
  if (separator.size() == 1) return find_byte(haystack, separator[0]);
  if (separator.size() == 2) return find_pair(haystack, separator[0], separator[1]);
  return find_two_way(haystack, separator);
}

}  // namespace

std::size_t find_separator_scalar(std::string_view haystack, std::string_view separator,
                                  std::size_t from) noexcept {
  if (from > haystack.size()) return not_found;
  const std::size_t start = find_scalar(haystack.substr(from), separator);
  return start == not_found ? not_found : from + start;
}

}  // namespace weir::detail
