// SPDX-License-Identifier: MIT
//
// A closure that captures by value is such an aggregate (test_arguments.cpp): written inside a
// co_await expression, g++ 12 destroys its captures twice, whatever the type of the parameter.
// Name it first. A lambda that captures must not be a coroutine either: its frame refers to the
// closure, which is gone at the end of the expression.

#include <doctest/doctest.h>

#include <functional>
#include <span>
#include <utility>

#include <tests/probes/probe.hpp>

namespace {

using probe::Fate;
using probe::Lazy;
using probe::Pause;
using probe::Shape;
using probe::Tracked;

Pause with_function(std::function<void()>) { return {}; }
template <class F>
Pause with_template(F) {
  return {};
}
template <class F>
Pause with_forwarding_reference(F&&) {
  return {};
}
struct Erased {
  template <class F>
  explicit Erased(F callable) : function(std::move(callable)) {}
  std::function<void()> function;
};
Pause with_erased(Erased) { return {}; }

// What is safe everywhere.

Lazy named_closure() {
  Tracked tracked;
  auto closure = [tracked] { static_cast<void>(tracked); };
  co_await with_template(closure);
  co_await with_function(closure);
  co_await with_function(std::move(closure));
}
Lazy named_awaitable() {
  Tracked tracked;
  auto pause = with_function([tracked] { static_cast<void>(tracked); });
  co_await pause;
}
Lazy captures_by_reference() {
  Tracked tracked;
  co_await with_function([&tracked] { static_cast<void>(tracked); });
  co_await with_template([&] { static_cast<void>(tracked); });
}
Lazy captures_nothing() {
  co_await with_function([] {});
  co_await with_template([] {});
}
Lazy pause_with(Tracked tracked) {
  co_await Pause();
  static_cast<void>(tracked);
}
Lazy lambda_coroutine_with_parameters() {
  Tracked tracked;
  const Lazy lazy = [](Tracked given) -> Lazy {
    co_await Pause();
    static_cast<void>(given);
  }(tracked);
  static_cast<void>(lazy);
  co_await Pause();
}

constexpr Shape good_shapes[] = {
    {"auto closure = [x] {…}; co_await f(closure);", named_closure},
    {"auto pause = f([x] {…}); co_await pause;", named_awaitable},
    {"co_await f([&x] {…});", captures_by_reference},
    {"co_await f([] {…});", captures_nothing},
    {"[](auto x) -> Lazy {…}(x)", lambda_coroutine_with_parameters},
};

// What g++ 12 destroys twice.

Lazy in_a_function() {
  Tracked tracked;
  co_await with_function([tracked] { static_cast<void>(tracked); });  // lint: shape on purpose
}
Lazy by_value() {
  Tracked tracked;
  co_await with_template([tracked] { static_cast<void>(tracked); });  // lint: shape on purpose
}
Lazy by_forwarding_reference() {
  Tracked tracked;
  co_await with_forwarding_reference(  // lint: shape on purpose
      [tracked] { static_cast<void>(tracked); });
}
Lazy in_an_erasing_type() {
  Tracked tracked;
  co_await with_erased(  // lint: shape on purpose
      Erased([tracked] { static_cast<void>(tracked); }));
}

constexpr Shape doubled_shapes[] = {
    {"co_await f([x] {…}) into std::function", in_a_function},
    {"co_await f([x] {…}) into F", by_value},
    {"co_await f([x] {…}) into F&&", by_forwarding_reference},
    {"co_await f(Erased([x] {…}))", in_an_erasing_type},
};

}  // namespace

TEST_SUITE("probes/closures") {
  TEST_CASE("closures: one that has a name, or captures by reference, is destroyed once") {
    for (const Shape& shape : std::span(good_shapes)) {
      CAPTURE(shape.code);
      CHECK(probe::fate_of(shape.coroutine) == Fate::ran);
      CHECK(probe::fate_when_dropped(shape.coroutine) == Fate::ran);
    }
    CHECK(probe::fate_of([] { return pause_with(Tracked()); }) == Fate::ran);
  }

  TEST_CASE("B76: g++ 12 destroys the captures of a closure inside a co_await twice, clang once") {
    for (const Shape& shape : std::span(doubled_shapes)) {
      CAPTURE(shape.code);
      const Fate fate = probe::fate_in_child([&shape] { return probe::fate_of(shape.coroutine); });
      if (probe::is_gcc_12) CHECK(fate == Fate::destroyed_twice);
      if (probe::is_clang) CHECK(fate == Fate::ran);
      CHECK(fate != Fate::never_ran);
    }
  }
}
