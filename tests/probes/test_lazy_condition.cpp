// SPDX-License-Identifier: MIT
//
// g++ 12 drops the body of a lazy coroutine that awaits in a condition and declares nothing: no
// variable at any depth, no try block. It compiles without a warning. What happens: the condition's
// value becomes the first field of the frame and shifts the rest by 8 bytes, but the compiler still
// takes the handle's address from the promise. So resume() works on a frame that begins 8 bytes too
// late: it finds its state behind the allocated memory, where a zero means "start again". One
// declaration anywhere in the body cures it.

#include <doctest/doctest.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tests/probes/probe.hpp>

namespace {

using probe::Answer;
using probe::Fate;
using probe::Lazy;

int steps = 0;  // What the bodies count.

/// Answers yes or with a line twice, then no or nothing. By value, with a string on the heap: the
/// coroutine's copy of its parameter must survive too.
struct Source {
  std::string name = "a string that is too long to live inside the object";
  static inline int answers_left = 0;

  Answer<bool> flag() { return Answer(answers_left-- > 0); }
  Answer<std::string> line() { return Answer(answers_left-- > 0 ? name : std::string()); }
  Answer<std::optional<std::string>> maybe() {
    return Answer(answers_left-- > 0 ? std::optional(name) : std::nullopt);
  }
  Answer<std::vector<int>> numbers() { return Answer(std::vector{1, 2, 3}); }
};

struct Shape {
  std::string_view code;
  Lazy (*coroutine)(Source);
};

Fate fate_of(const Shape& shape) {
  const Fate fate = probe::fate_of([&shape] {
    steps = 0;
    Source::answers_left = 2;
    return shape.coroutine(Source());
  });
  return fate == Fate::ran && steps == 0 ? Fate::never_ran : fate;
}

// Shapes that declare something.

// [kept]
Lazy declared_in_while(Source source) {
  while (auto line = co_await source.maybe()) ++steps;
}
// [/kept]
Lazy declared_in_if(Source source) {
  if (const bool flag = co_await source.flag()) steps += flag ? 1 : 0;
}
Lazy declared_in_if_init(Source source) {
  if (const int more = 1; co_await source.flag()) steps += more;
}
Lazy declared_in_for(Source source) {
  for (std::string line; !(line = co_await source.line()).empty();) ++steps;
}
Lazy declared_before(Source source) {
  const int more = 1;
  while (co_await source.flag()) steps += more;
}
Lazy declared_behind(Source source) {
  while (co_await source.flag()) ++steps;
  const int more = 1;
  steps += more;
}
Lazy declared_in_the_loop(Source source) {
  for (;;) {
    const std::string line = co_await source.line();
    if (line.empty()) break;
    ++steps;
  }
}
Lazy declared_in_another_block(Source source) {
  if (source.name.empty()) {
    const int more = 1;
    steps += more;
  }
  while (co_await source.flag()) ++steps;
}
Lazy declared_around(Source source) {
  while (auto line = co_await source.maybe()) {
    if (co_await source.flag()) ++steps;
  }
  ++steps;
}
Lazy declared_by_range_for(Source source) {
  for (const int number : co_await source.numbers()) {
    if (co_await source.flag()) steps += number;
  }
}
Lazy in_a_try_block(Source source) {
  try {
    while (co_await source.flag()) ++steps;
  } catch (const std::exception&) {
    steps = -1;
  }
}
Lazy result_named_first(Source source) {
  bool flag = co_await source.flag();
  while (flag) {
    flag = co_await source.flag();
    ++steps;
  }
}

// Shapes that declare nothing, but do not await in a condition.

Lazy in_a_statement(Source source) {
  co_await source.flag();
  ++steps;
}
Lazy in_a_branch(Source source) {
  if (!source.name.empty()) co_await source.flag();
  ++steps;
}
Lazy in_a_loop_body(Source source) {
  while (steps < 3) {
    co_await source.flag();
    ++steps;
  }
}
Lazy in_a_conditional_expression(Source source) { steps = (co_await source.flag()) ? 1 : 2; }
Lazy in_a_for_step(Source source) {
  for (; steps == 0; co_await source.flag()) ++steps;
}

constexpr Shape good_shapes[] = {
    {"while (auto line = co_await …)", declared_in_while},
    {"if (bool flag = co_await …)", declared_in_if},
    {"if (int more = 1; co_await …)", declared_in_if_init},
    {"for (std::string line; !(line = co_await …).empty();)", declared_in_for},
    {"int more; while (co_await …)", declared_before},
    {"while (co_await …) …; int more;", declared_behind},
    {"for (;;) { std::string line = co_await …; … }", declared_in_the_loop},
    {"if (…) { int more; } while (co_await …)", declared_in_another_block},
    {"while (auto line = …) { if (co_await …) }", declared_around},
    {"for (int number : co_await …) { if (co_await …) }", declared_by_range_for},
    {"try { while (co_await …) }", in_a_try_block},
    {"bool flag = co_await …; while (flag)", result_named_first},
    {"co_await …;", in_a_statement},
    {"if (…) co_await …;", in_a_branch},
    {"while (…) { co_await …; }", in_a_loop_body},
    {"steps = (co_await …) ? 1 : 2;", in_a_conditional_expression},
    {"for (; …; co_await …)", in_a_for_step},
};

// Shapes that declare nothing and await in a condition.

Lazy sole_if(Source source) {  // lint: shape on purpose
  if (co_await source.flag()) ++steps;
}
Lazy sole_while(Source source) {  // lint: shape on purpose
  while (co_await source.flag()) ++steps;
}
// [dropped]
Lazy while_not_empty(Source source) {  // lint: shape on purpose
  while (!(co_await source.line()).empty()) ++steps;
}
// [/dropped]
Lazy do_while(Source source) {  // lint: shape on purpose
  do {
    ++steps;
  } while (co_await source.flag());
}
Lazy for_condition(Source source) {  // lint: shape on purpose
  for (; co_await source.flag();) ++steps;
}
Lazy switch_condition(Source source) {  // lint: shape on purpose
  switch (static_cast<int>(co_await source.flag())) {
    case 1: ++steps; break;
    default: break;
  }
}
Lazy for_ever_with_break(Source source) {  // lint: shape on purpose
  for (;;) {
    if ((co_await source.line()).empty()) break;
    ++steps;
  }
}
Lazy behind_and(Source source) {  // lint: shape on purpose
  if (!source.name.empty() && co_await source.flag()) ++steps;
}
Lazy behind_else(Source source) {  // lint: shape on purpose
  if (source.name.empty()) {
    co_return;
  } else if (co_await source.flag()) {
    ++steps;
  }
}
Lazy behind_a_statement(Source source) {  // lint: shape on purpose
  ++steps;
  while (co_await source.flag()) ++steps;
}
Lazy behind_an_await(Source source) {  // lint: shape on purpose
  co_await source.flag();
  while (co_await source.flag()) ++steps;
}
Lazy behind_a_return(Source source) {  // lint: shape on purpose
  if (source.name.empty()) co_return;
  while (co_await source.flag()) ++steps;
}
Lazy in_a_bare_block(Source source) {  // lint: shape on purpose
  {
    if (co_await source.flag()) ++steps;
  }
}
Lazy in_a_nested_if(Source source) {  // lint: shape on purpose
  if (!source.name.empty()) {
    if (co_await source.flag()) ++steps;
  }
}

constexpr Shape misplaced_shapes[] = {
    {"if (co_await …)", sole_if},
    {"while (co_await …)", sole_while},
    {"while (!(co_await …).empty())", while_not_empty},
    {"do … while (co_await …);", do_while},
    {"for (; co_await …;)", for_condition},
    {"switch (co_await …)", switch_condition},
    {"for (;;) { if ((co_await …).empty()) break; … }", for_ever_with_break},
    {"if (… && co_await …)", behind_and},
    {"if (…) co_return; else if (co_await …)", behind_else},
    {"…; while (co_await …)", behind_a_statement},
    {"co_await …; while (co_await …)", behind_an_await},
    {"if (…) co_return; while (co_await …)", behind_a_return},
    {"{ if (co_await …) }", in_a_bare_block},
    {"if (…) { if (co_await …) }", in_a_nested_if},
};

}  // namespace

TEST_SUITE("probes/lazy_condition") {
  TEST_CASE("lazy condition: a coroutine that declares something runs") {
    for (const Shape& shape : std::span(good_shapes)) {
      CAPTURE(shape.code);
      CHECK(fate_of(shape) == Fate::ran);
    }
  }

  TEST_CASE("B77: without any declaration g++ 12 misplaces the frame, clang runs it") {
    for (const Shape& shape : std::span(misplaced_shapes)) {
      CAPTURE(shape.code);
      const Fate fate = fate_of(shape);
      if (probe::is_gcc_12) CHECK(fate == Fate::misplaced);
      if (probe::is_clang) CHECK(fate == Fate::ran);
      CHECK(fate != Fate::never_ran);
    }
  }
}
