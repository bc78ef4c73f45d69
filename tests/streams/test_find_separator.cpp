// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/sim/sim_random.hpp>
#include <weir/streams/find_separator.hpp>
#include <weir/streams/match_kernels.hpp>
#include <weir/streams/two_way.hpp>

#include <tests/streams/guarded_bytes.hpp>

using weir::detail::available_match_kernels;
using weir::detail::find_separator;
using weir::detail::find_separator_by;
using weir::detail::find_two_way;
using weir::detail::MatchKernels;
using weir::detail::not_found;

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

std::size_t find(std::string_view haystack, std::string_view separator, std::size_t from = 0) {
  const Exact exact(haystack);
  return find_separator(exact.view(), Exact(separator).view(), from);
}

/// All words of up to `most` letters, each one of `letters`.
std::vector<std::string> words(std::string_view letters, std::size_t most) {
  std::vector<std::string> all{""};
  for (std::size_t at = 0; at < all.size(); ++at) {
    if (all[at].size() == most) break;
    for (const char letter : letters) all.push_back(all[at] + letter);
  }
  return all;
}

/// Every implementation of this processor finds what std::string::find() does.
void check_all(std::string_view haystack, std::string_view separator, std::size_t from) {
  const std::size_t start = haystack.find(separator, from);
  for (const MatchKernels* kernels : available_match_kernels()) {
    if (find_separator_by(*kernels, haystack, separator, from) == start) continue;
    FAIL(kernels->name << ": '" << separator << "' in '" << haystack << "' from " << from);
  }
}

/// The same where nothing can be read before the haystack, then where nothing can behind it.
void check_between_guards(const weir::testing::GuardedBytes& memory, std::string_view haystack,
                          std::string_view separator) {
  check_all(memory.at_begin(haystack), separator, 0);
  check_all(memory.at_end(haystack), separator, 0);
}

std::string word(weir::SimRandom& random, std::size_t size, std::uint32_t letters) {
  std::string text;
  while (text.size() < size) text += static_cast<char>('a' + random.below(letters));
  return text;
}

}  // namespace

TEST_SUITE("streams/find_separator") {
  TEST_CASE("find_separator: agrees with std::string::find on every word of two letters") {
    const std::vector<std::string> haystacks = words("ab", 9);
    for (const std::string& separator : words("ab", 4)) {
      if (separator.empty()) continue;
      for (const std::string& haystack : haystacks) {
        for (std::size_t from = 0; from <= haystack.size(); ++from) {
          check_all(haystack, separator, from);
        }
      }
    }
    CHECK(not_found == std::string::npos);
  }

  TEST_CASE("find_separator: agrees on longer words of two letters, behind blocks without one") {
    // So that they lie in the first block, across two, in the tail, and anywhere in a vector.
    std::size_t before = 0;
    for (const std::string& word : words("ab", 13)) {
      if (word.size() < 10) continue;
      before = (before + 1) % 150;
      const std::string haystack = std::string(before, '.') + word + std::string(before % 67, '.');
      for (const std::string_view separator : {"a", "ab", "aba", "abab", "aabab", "abbabba"}) {
        check_all(haystack, separator, 0);
      }
    }
    CHECK(before < 150);
  }

  TEST_CASE("find_separator: agrees where beginnings of the separator pile up") {
    weir::SimRandom random(1);
    std::size_t found = 0;
    for (int round = 0; round < 20000; ++round) {
      const std::uint32_t letters = 1 + random.below(3);
      const std::string separator = word(random, 1 + random.below(70), letters);
      std::string haystack;
      while (haystack.size() < 1500) {
        haystack += random.coin() ? separator.substr(0, random.below(70) % separator.size())
                                  : word(random, random.below(8), letters);
        if (random.per_mille(30)) haystack += separator;
      }
      const std::size_t from = random.below(100);
      check_all(haystack, separator, from);
      if (haystack.find(separator, from) != std::string::npos) ++found;
    }
    CHECK(found > 5000);
    CHECK(found < 20000);
  }

  TEST_CASE("find_separator: every length, alignment and place, between two guard pages") {
    const weir::testing::GuardedBytes memory;
    for (const std::string_view separator : {"x", "xy", "xyz", "xyzxyzxy", "xyzxyzxyzxyzxyzxyz"}) {
      for (std::size_t size = 0; size <= 130; ++size) {
        check_between_guards(memory, std::string(size, 'x'), separator);
        check_between_guards(memory, std::string(size, '.'), separator);
        for (std::size_t place = 0; place + separator.size() <= size; ++place) {
          std::string haystack(size, '.');
          haystack.replace(place, separator.size(), separator);
          check_between_guards(memory, haystack, separator);
        }
      }
    }
    CHECK(memory.size() >= 130);
  }

  TEST_CASE("find_two_way: agrees with std::string::find on every word of two letters") {
    for (const std::string& separator : words("ab", 7)) {
      if (separator.empty()) continue;
      for (const std::string& haystack : words("ab", 10)) {
        if (find_two_way(haystack, separator) == haystack.find(separator)) continue;
        FAIL("'" << separator << "' in '" << haystack << "'");
      }
    }
    CHECK(find_two_way("ab", "abc") == not_found);
  }

  TEST_CASE("find_separator: of matches that overlap the first is found") {
    CHECK(find("baaa", "aa") == 1);
    CHECK(find("xABABA", "ABA") == 1);
    CHECK(find("aabaab", "aab", 1) == 3);
  }

  TEST_CASE("find_separator: NUL bytes are bytes like others") {
    CHECK(find(std::string_view("a\0b\0\0c", 6), std::string_view("\0\0", 2)) == 3);
    CHECK(find(std::string_view("ab", 2), std::string_view("\0", 1)) == not_found);
  }

  TEST_CASE("find_separator: bytes above 127 are bytes like others") {
    CHECK(find("a\xff\xfe", "\xff\xfe") == 1);
    CHECK(find("a\x7f\x7e", "\xff\xfe") == not_found);
  }

  TEST_CASE("find_separator: finds nothing in what is shorter, and reads nothing behind it") {
    CHECK(find("", "a") == not_found);
    CHECK(find("AB", "ABC") == not_found);
    CHECK(find("AB", "B", 2) == not_found);
    CHECK(find("xyzA", "AB") == not_found);
  }

  TEST_CASE("find_separator: a match that starts before `from` is none") {
    CHECK(find("\r\nx\r\n", "\r\n", 1) == 3);
    CHECK(find("\r\n", "\r\n", 1) == not_found);
  }

  TEST_CASE("find_separator: a match may begin with the haystack and end with it") {
    CHECK(find("\r\n", "\r\n") == 0);
    CHECK(find("\n", "\n") == 0);
  }

  TEST_CASE("find_separator: one that is longer than its probe looks at, alike at its end") {
    const std::string separator = "a" + std::string(70'000, 'b');
    // Few candidates: many would end in the search that needs no probe.
    const std::string text = std::string(100, 'x') + separator;
    check_all(text, separator, 0);
    CHECK(find(text, separator) == 100);
    CHECK(find("b" + separator.substr(1), separator) == not_found);
  }
}
