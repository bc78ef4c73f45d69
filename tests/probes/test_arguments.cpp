// SPDX-License-Identifier: MIT
//
// g++ 12 destroys a temporary aggregate twice when it is made with braces inside a co_await
// expression and its destructor does something. Hence weir's options are trivially destructible
// aggregates, its awaiters are trivially destructible or have a constructor, and everything else
// gets a name first.

#include <doctest/doctest.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <tests/probes/probe.hpp>

namespace {

using probe::Fate;
using probe::Lazy;
using probe::Pause;
using probe::Shape;
using probe::Tracked;

struct Aggregate {
  Tracked tracked{};
  int number = 0;
};

struct Constructed {
  explicit Constructed(int value) : number(value) {}
  Tracked tracked{};
  int number;
};

/// What weir's options look like.
struct Options {
  std::string_view host{};
  int limit = 64;
};
static_assert(std::is_trivially_destructible_v<Options>);

/// An awaiter that is itself an aggregate with a destructor: the shape that weir has not.
struct AggregateAwaiter : Pause {
  Tracked tracked{};
};

Pause by_value(Aggregate) { return {}; }
Pause by_const_reference(const Aggregate&) { return {}; }
Pause by_rvalue_reference(Aggregate&&) { return {}; }
Pause in_an_optional(std::optional<Aggregate>) { return {}; }
Pause constructed_by_value(Constructed) { return {}; }
Pause constructed_by_reference(const Constructed&) { return {}; }
Pause tracked_by_value(Tracked, Tracked) { return {}; }
Pause string_by_value(std::string text) {
  CHECK(text.size() == 60);
  return {};
}
Pause with_options(Options options) {
  CHECK(options.limit == 7);
  return {};
}
Lazy coroutine_of(Aggregate aggregate) {
  co_await Pause();
  aggregate.number = 1;
}
Lazy coroutine_of(Constructed constructed) {
  co_await Pause();
  constructed.number = 1;
}

// What is safe everywhere.

Lazy named() {
  Aggregate aggregate;
  co_await by_value(aggregate);
  co_await by_value(std::move(aggregate));
}
Lazy in_parentheses() { co_await by_value(Aggregate()); }
Lazy with_a_constructor() { co_await constructed_by_value(Constructed(3)); }
Lazy with_a_constructor_by_reference() { co_await constructed_by_reference(Constructed(3)); }
Lazy two_objects() { co_await tracked_by_value(Tracked(), Tracked()); }
Lazy a_string() { co_await string_by_value(std::string(60, 's')); }
Lazy options_in_braces() { co_await with_options({.limit = 7}); }
Lazy options_over_a_temporary_string() {
  co_await with_options({.host = std::string(60, 'h'), .limit = 7});
}
Lazy awaitable_named_first() {
  Pause pause = by_value(Aggregate{});
  co_await pause;
}
Lazy nested_awaits() { co_await tracked_by_value(Tracked(), (co_await Pause(), Tracked())); }
Lazy in_a_try_block() {
  try {
    co_await constructed_by_value(Constructed(3));
  } catch (const std::exception&) {
    co_return;
  }
}

constexpr Shape good_shapes[] = {
    {"f(named), f(std::move(named))", named},
    {"f(Aggregate())", in_parentheses},
    {"f(Constructed(3))", with_a_constructor},
    {"f(Constructed(3)) by const&", with_a_constructor_by_reference},
    {"f(Tracked(), Tracked())", two_objects},
    {"f(std::string(…))", a_string},
    {"f({.limit = 7}) of trivial options", options_in_braces},
    {"f({.host = std::string(…)}) of trivial options", options_over_a_temporary_string},
    {"auto pause = f(Aggregate{}); co_await pause;", awaitable_named_first},
    {"f(Tracked(), (co_await …, Tracked()))", nested_awaits},
    {"try { f(Constructed(3)) }", in_a_try_block},
};

// What g++ 12 destroys twice.

Lazy aggregate_by_value() { co_await by_value(Aggregate{}); }
Lazy aggregate_in_empty_braces() { co_await by_value({}); }
Lazy aggregate_in_braces() { co_await by_value({.number = 3}); }
Lazy aggregate_by_const_reference() { co_await by_const_reference(Aggregate{}); }
Lazy aggregate_by_rvalue_reference() { co_await by_rvalue_reference(Aggregate{}); }
Lazy aggregate_in_an_optional() { co_await in_an_optional(Aggregate{}); }
Lazy aggregate_awaiter() { co_await AggregateAwaiter{}; }

constexpr Shape doubled_shapes[] = {
    {"f(Aggregate{})", aggregate_by_value},
    {"f({})", aggregate_in_empty_braces},
    {"f({.number = 3})", aggregate_in_braces},
    {"f(Aggregate{}) by const&", aggregate_by_const_reference},
    {"f(Aggregate{}) by &&", aggregate_by_rvalue_reference},
    {"f(Aggregate{}) into a std::optional", aggregate_in_an_optional},
    {"co_await AggregateAwaiter{}", aggregate_awaiter},
};

Fate child_fate(const Shape& shape, Fate (*look)(const probe::Maker&)) {
  return probe::fate_in_child([&shape, look] { return look(shape.coroutine); });
}

}  // namespace

TEST_SUITE("probes/arguments") {
  TEST_CASE("arguments: named objects, constructed types and trivial options are destroyed once") {
    for (const Shape& shape : std::span(good_shapes)) {
      CAPTURE(shape.code);
      CHECK(probe::fate_of(shape.coroutine) == Fate::ran);
      CHECK(probe::fate_when_dropped(shape.coroutine) == Fate::ran);
    }
  }

  TEST_CASE("B76: g++ 12 destroys an aggregate made with braces twice, clang once") {
    for (const Shape& shape : std::span(doubled_shapes)) {
      CAPTURE(shape.code);
      const Fate completed = child_fate(shape, probe::fate_of);
      const Fate dropped = child_fate(shape, probe::fate_when_dropped);
      if (probe::is_gcc_12) CHECK(completed == Fate::destroyed_twice);
      if (probe::is_gcc_12) CHECK(dropped == Fate::destroyed_twice);
      if (probe::is_clang) CHECK(completed == Fate::ran);
      if (probe::is_clang) CHECK(dropped == Fate::ran);
      CHECK(completed != Fate::never_ran);
    }
  }

  TEST_CASE("arguments: a coroutine destroys the objects it was given once") {
    CHECK(probe::fate_of([] { return coroutine_of(Constructed(3)); }) == Fate::ran);
    CHECK(probe::fate_when_dropped([] { return coroutine_of(Constructed(3)); }) == Fate::ran);
    // Outside a co_await expression an aggregate is safe.
    CHECK(probe::fate_of([] { return coroutine_of(Aggregate{}); }) == Fate::ran);
  }
}
