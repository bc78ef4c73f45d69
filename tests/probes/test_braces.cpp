// SPDX-License-Identifier: MIT
//
// g++ 12 does not compile a std::initializer_list or a span made of class objects in braces inside
// a co_await expression. A type with a variadic constructor takes the same braces: that is how
// `co_await reader.readuntil({"\r\n", "\n"})` works.

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>

#include <tests/probes/probe.hpp>

namespace {

using probe::Answer;
using probe::Fate;
using probe::Lazy;

class Separators {
 public:
  template <class... Each>
  Separators(const Each&... each) : items_{std::string_view(each)...}, count_(sizeof...(each)) {}

  std::string joined() const {
    std::string text;
    for (std::size_t i = 0; i < count_; ++i) text.append(items_[i]).append("|");
    return text;
  }

 private:
  std::string_view items_[4];
  std::size_t count_;
};

Answer<std::string> read_until(Separators separators) { return Answer(separators.joined()); }

std::string seen;

Lazy two_literals() { seen = co_await read_until({"\r\n", "\n"}); }
Lazy one_literal() { seen = co_await read_until("\n"); }
Lazy literal_and_string() {
  const std::string separator = "--boundary--";
  seen = co_await read_until({separator, ";"});
}

}  // namespace

TEST_SUITE("probes/braces") {
  TEST_CASE("braces: a variadic constructor takes a braced list inside a co_await") {
    CHECK(probe::fate_of(two_literals) == Fate::ran);
    CHECK(seen == "\r\n|\n|");
    CHECK(probe::fate_of(one_literal) == Fate::ran);
    CHECK(seen == "\n|");
    CHECK(probe::fate_of(literal_and_string) == Fate::ran);
    CHECK(seen == "--boundary--|;|");
  }
}
