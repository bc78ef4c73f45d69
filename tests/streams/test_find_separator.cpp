// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/streams/find_separator.hpp>

using weir::detail::find_separator;
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

}  // namespace

TEST_SUITE("streams/find_separator") {
  TEST_CASE("find_separator: agrees with std::string::find on every word of two letters") {
    const std::vector<std::string> haystacks = words("ab", 9);
    for (const std::string& separator : words("ab", 4)) {
      if (separator.empty()) continue;
      for (const std::string& haystack : haystacks) {
        for (std::size_t from = 0; from <= haystack.size(); ++from) {
          const std::size_t start = haystack.find(separator, from);
          if (find_separator(haystack, separator, from) == start) continue;
          FAIL("'" << separator << "' in '" << haystack << "' from " << from);
        }
      }
    }
    CHECK(not_found == std::string::npos);
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
}
