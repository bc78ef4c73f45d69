// SPDX-License-Identifier: MIT
//
// What a co_await expression gives, and what may be done with it at once.

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tests/probes/probe.hpp>

namespace {

using probe::Answer;
using probe::Fate;
using probe::Lazy;
using probe::Pause;
using probe::Shape;
using probe::Tracked;

struct Pair {
  Tracked first{};
  int second = 0;
};

Answer<Pair> pair() { return Answer(Pair()); }
Answer<std::vector<Tracked>> several() { return Answer(std::vector<Tracked>(3)); }
Answer<std::string> text() { return Answer(std::string(60, 't')); }

Lazy named() {
  const Pair result = co_await pair();
  co_await Pause();
  static_cast<void>(result);
}
Lazy discarded() {
  co_await pair();
  static_cast<void>(co_await pair());
}
Lazy member_of_it() {
  const int second = (co_await pair()).second;
  co_await Pause();
  static_cast<void>(second);
}
Lazy bound_to_a_reference() {
  const Pair& result = co_await pair();
  auto&& other = co_await pair();
  co_await Pause();
  static_cast<void>(result);
  static_cast<void>(other);
}
Lazy assigned() {
  Pair result;
  result = co_await pair();
  co_await Pause();
}
Lazy moved_from() {
  std::vector<Tracked> kept;
  kept.push_back(std::move((co_await pair()).first));
  co_await Pause();
}
Lazy looped_over() {
  for (const Tracked& tracked : co_await several()) {
    static_cast<void>(tracked);
    co_await Pause();
  }
}
Lazy in_a_loop() {
  for (int i = 0; i < 3; ++i) {
    const Pair result = co_await pair();
    if ((co_await pair()).second != result.second) co_return;
  }
}
Lazy twice_in_one_expression() {
  const std::string both = co_await text() + co_await text();
  CHECK(both.size() == 120);
}
Lazy both_of_two() {
  const bool both = !(co_await text()).empty() && !(co_await text()).empty();
  CHECK(both);
}
Lazy in_a_pair() {
  const auto both = std::make_pair(co_await pair(), co_await pair());
  co_await Pause();
  static_cast<void>(both);
}

constexpr Shape good_shapes[] = {
    {"Pair result = co_await …;", named},
    {"co_await …;", discarded},
    {"(co_await …).second", member_of_it},
    {"const Pair& result = co_await …;", bound_to_a_reference},
    {"result = co_await …;", assigned},
    {"std::move((co_await …).first)", moved_from},
    {"for (auto& x : co_await …)", looped_over},
    {"for (…) { Pair result = co_await …; if ((co_await …).second …) }", in_a_loop},
    {"co_await … + co_await …", twice_in_one_expression},
    {"co_await … && co_await …", both_of_two},
    {"make_pair(co_await …, co_await …)", in_a_pair},
};

/// Right with g++ 12 and clang, but later g++ leak it: weir returns named structs.
Lazy structured_binding() {
  auto [first, second] = co_await pair();  // lint: shape on purpose
  co_await Pause();
  static_cast<void>(first);
  static_cast<void>(second);
}

}  // namespace

TEST_SUITE("probes/results") {
  TEST_CASE("results: named, discarded, taken apart and combined ones are destroyed once") {
    for (const Shape& shape : std::span(good_shapes)) {
      CAPTURE(shape.code);
      CHECK(probe::fate_of(shape.coroutine) == Fate::ran);
      CHECK(probe::fate_when_dropped(shape.coroutine) == Fate::ran);
    }
  }

  TEST_CASE("B80: a structured binding is right with g++ 12 and clang") {
    const Fate fate = probe::fate_in_child([] { return probe::fate_of(structured_binding); });
    if (probe::is_gcc_12 || probe::is_clang) CHECK(fate == Fate::ran);
    CHECK(fate != Fate::never_ran);
  }
}
