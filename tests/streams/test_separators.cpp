// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include <weir/streams/separators.hpp>

using weir::Separator;
using weir::Separators;

namespace {

std::vector<std::string> in_order(const Separators& separators) {
  return {separators.begin(), separators.end()};
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_SUITE("streams/separators") {
  TEST_CASE("Separator: a literal keeps the NUL bytes inside it, and loses the one that ends it") {
    CHECK(Separator("a\0b").bytes() == std::string_view("a\0b", 3));
    CHECK(Separator("\0").bytes() == std::string_view("\0", 1));
    CHECK(Separator("").bytes().empty());
  }

  TEST_CASE("Separator: takes a string and a view for what they hold") {
    const std::string text("x\0y", 3);
    CHECK(Separator(text).bytes() == text);
    CHECK(Separator(std::string_view(text).substr(1)).bytes() == std::string_view("\0y", 2));
  }

  TEST_CASE("Separator: takes a character pointer up to its NUL") {
    const char* pointer = "\r\n";
    CHECK(Separator(pointer).bytes() == "\r\n");
  }

  // CPython 3.13: streams.py readuntil, "separator = sorted(separator, key=len)"
  TEST_CASE("Separators: are ordered by length, whatever the order they were given in") {
    CHECK(in_order(Separators("abc", "a", "ab")) == Strings{"a", "ab", "abc"});
    CHECK(in_order(Separators("a", "ab", "abc")) == Strings{"a", "ab", "abc"});
    CHECK(Separators("abc", "a").shortest() == "a");
    CHECK(Separators("abc", "a").longest() == "abc");
  }

  TEST_CASE("Separators: those of one length stay in the order they were given in") {
    CHECK(in_order(Separators("zz", "b", "aa", "a")) == Strings{"b", "a", "zz", "aa"});
  }

  TEST_CASE("Separators: none, one and eight are sets") {
    CHECK(Separators().empty());
    CHECK(in_order(Separators(Separator("\n"))) == Strings{"\n"});
    CHECK(Separators("1", "2", "3", "4", "5", "6", "7", "8").size() == 8);
  }

  TEST_CASE("Separators: literals, strings and views may be mixed in braces") {
    const std::string text = "AB";
    const Separators separators{"\r\n", text, std::string_view("C")};
    CHECK(in_order(separators) == Strings{"C", "\r\n", "AB"});
  }

  TEST_CASE("Separators: an empty one comes first, where the check looks for it") {
    CHECK(Separators("a", "").shortest().empty());
  }

  TEST_CASE("moved_to: names the same separators in another place") {
    const std::string bytes = "a\r\nEND";
    Separators moved;
    {
      const std::string one = "END";
      const std::string two = "a";
      moved = Separators(one, "\r\n", two).moved_to(bytes);
    }
    CHECK(in_order(moved) == Strings{"a", "\r\n", "END"});
    CHECK(moved.begin()->data() == bytes.data());
  }
}
