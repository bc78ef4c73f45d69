// SPDX-License-Identifier: MIT
#include <cstring>
#include <memory>
#include <vector>

#include <weir/streams/find_separator.hpp>
#include <weir/streams/separators.hpp>
#include <weir/streams/two_way.hpp>

#include <tests/fuzz/choices.hpp>
#include <tests/fuzz/targets.hpp>

namespace weir::fuzz {
namespace {

/// A copy without a byte to spare: AddressSanitizer sees a read past its end.
class Exact {
 public:
  explicit Exact(std::string_view bytes) : bytes_(new char[bytes.size()]), size_(bytes.size()) {
    if (size_ != 0) std::memcpy(bytes_.get(), bytes.data(), size_);
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_;
};

/// Looks at every byte, from every start.
std::size_t naive_search(std::string_view haystack, std::string_view separator, std::size_t from) {
  for (std::size_t start = from; start + separator.size() <= haystack.size(); ++start) {
    std::size_t same = 0;
    while (same < separator.size() && haystack[start + same] == separator[same]) ++same;
    if (same == separator.size()) return start;
  }
  return detail::not_found;
}

/// The set is in order of length, those of one length as they came.
void check_order(const std::string_view (&words)[3]) {
  const Separators set(words[0], words[1], words[2]);
  std::vector<std::string_view> expected(std::begin(words), std::end(words));
  for (bool swapped = true; swapped;) {
    swapped = false;
    for (std::size_t i = 1; i < expected.size(); ++i) {
      if (expected[i].size() >= expected[i - 1].size()) continue;
      std::swap(expected[i], expected[i - 1]);
      swapped = true;
    }
  }
  require(std::equal(set.begin(), set.end(), expected.begin(), expected.end(),
                     [](auto a, auto b) { return a.data() == b.data() && a.size() == b.size(); }),
          "separators are sorted by length, and the sort is stable");
  std::string joined;
  for (const std::string_view word : set) joined += word;
  const Separators moved = set.moved_to(joined);
  require(std::equal(set.begin(), set.end(), moved.begin(), moved.end()),
          "moved separators are the same ones");
}

}  // namespace

void separator(std::string_view input) {
  Choices choices(input);
  // As they are, or of two letters only, where a search comes close all the time.
  const bool plain = choices.one_in(2);
  const auto word = [&](std::size_t most) {
    return plain ? std::string(choices.take(choices.roll(most + 1))) : choices.bytes("ab", most);
  };
  const std::string words[] = {word(choices.one_in(4) ? 40 : 12), word(4), word(4)};
  check_order({words[0], words[1], words[2]});
  const std::size_t from = choices.roll(64);
  std::string haystack(choices.rest());
  if (!plain) {
    for (char& byte : haystack) byte = (byte & 1) != 0 ? 'b' : 'a';
  }
  if (words[0].empty() || from > haystack.size()) return;
  const Exact exact_haystack(haystack);
  const Exact exact_separator(words[0]);
  // Behind other bytes, too: vectors look at 64 positions at once.
  const Exact later_haystack(std::string(64, '.') + haystack);
  // And what is shorter than a vector.
  const Exact beginning(std::string_view(haystack).substr(0, from % 16));
  const std::size_t expected_in_beginning = naive_search(beginning.view(), words[0], 0);
  const std::size_t expected = naive_search(haystack, words[0], from);
  const std::size_t expected_later =
      naive_search(later_haystack.view(), exact_separator.view(), from);
  for (const detail::MatchKernels* kernels : detail::available_match_kernels()) {
    require(detail::find_separator_by(*kernels, exact_haystack.view(), exact_separator.view(),
                                      from) == expected,
            "every search ends where two loops end");
    require(detail::find_separator_by(*kernels, later_haystack.view(), exact_separator.view(),
                                      from) == expected_later,
            "every search ends where two loops end, further on");
    require(detail::find_separator_by(*kernels, beginning.view(), exact_separator.view(), 0) ==
                expected_in_beginning,
            "every search ends where two loops end, in a few bytes");
  }
  require(detail::find_two_way(exact_haystack.view(), exact_separator.view()) ==
              naive_search(haystack, words[0], 0),
          "the search for floods ends where two loops end");
}

}  // namespace weir::fuzz
