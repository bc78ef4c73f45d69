// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/support/task_fixture.hpp>

using weir::Coro;
using weir::Future;
using weir::RuntimeError;
using weir::Task;
using weir::test::Alive;
using weir::test::TestLoop;

namespace {

Coro<> says(std::string* trace, std::string word, Alive) {
  *trace += word;
  co_return;
}

Coro<int> gives(int value) { co_return value; }

/// The text of the RuntimeError that awaiting `coro` throws, or "ran".
template <class T>
Coro<std::string> error_of(Coro<T> coro) {
  std::string text = "ran";
  try {
    co_await std::move(coro);
  } catch (const RuntimeError& error) {
    text = error.what();
  }
  co_return text;
}

/// Runs `coro` to its end.
template <class T>
T run(Coro<T> coro) {
  TestLoop test;
  Task<T> task = test.loop.create_task(std::move(coro));
  test.settle();
  if constexpr (!std::is_void_v<T>) return test.loop.run_until_complete(std::move(task));
}

// ---- Dropped bodies

struct Ready {
  Ready() noexcept {}
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  bool await_resume() const noexcept { return true; }
};
struct ReadyLine {
  ReadyLine() noexcept {}
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  std::string await_resume() const { return {}; }
};
struct ReadyWide {
  ReadyWide() noexcept {}
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  long double await_resume() const { return 1; }
};

int bodies = 0;  // How many dropped bodies ran after all.

Coro<> drops_if(Alive) {  // lint: shape on purpose
  ++bodies;
  if (co_await Ready()) co_return;
}
Coro<> drops_while(Alive) {  // lint: shape on purpose
  ++bodies;
  while (!(co_await ReadyLine()).empty()) ++bodies;
}
Coro<> drops_for_ever(Alive) {  // lint: shape on purpose
  ++bodies;
  for (;;) {
    if ((co_await ReadyLine()).empty()) break;
  }
}
Coro<> drops_switch(Alive) {  // lint: shape on purpose
  ++bodies;
  switch (static_cast<int>(co_await Ready())) {
    case 1: co_return;
    default: ++bodies;
  }
}
Coro<long double> drops_wide(Alive) {  // lint: shape on purpose
  ++bodies;
  if (co_await ReadyWide() > 0) co_return 1;
  co_return 2;
}

template <class F>
std::string error_of_call(F&& call) {
  try {
    std::forward<F>(call)();
  } catch (const RuntimeError& error) {
    return error.what();
  }
  return "ran";
}

/// What a dropped body must come to: an error that says what to write, or, where the compiler is
/// right, nothing of the kind.
void check_dropped(const std::string& outcome) {
#if defined(__clang__)
  CHECK(outcome == "ran");
  CHECK(bodies == 1);
#else
  CHECK(outcome.starts_with("The compiler dropped the body of this coroutine"));
  CHECK(bodies == 0);
#endif
}

Coro<std::string> awaits_dropped_at(int depth) {
  std::string outcome = "ran";
  if (depth > 0) {
    outcome = co_await awaits_dropped_at(depth - 1);
  } else {
    try {
      co_await drops_if(Alive());
    } catch (const RuntimeError& error) {
      outcome = error.what();
    }
  }
  co_return outcome;
}

}  // namespace

TEST_SUITE("reactor/task/coro") {
  TEST_CASE("coro: calling it runs nothing; awaiting it does") {
    std::string trace;
    Coro<> coro = says(&trace, "body", Alive());
    CHECK(trace.empty());
    run(std::move(coro));
    CHECK(trace == "body");
  }

  TEST_CASE("coro: never awaited, it goes with its arguments and does not run") {
    const int before = Alive::count;
    std::string trace;
    {
      const Coro<> coro = says(&trace, "body", Alive());
      CHECK(Alive::count == before + 1);
    }
    CHECK(Alive::count == before);
    CHECK(trace.empty());
  }

  TEST_CASE("coro: awaiting one is a call, and gives up no pass") {
    TestLoop test;
    std::string trace;
    const auto outer = [](std::string* words) -> Coro<> {
      *words += "(";
      co_await says(words, "inner", Alive());
      *words += ")";
    };
    const Task<> task = test.loop.create_task(outer(&trace));
    test.pass();
    CHECK(trace == "(inner)");
    CHECK(task.done());
  }

  TEST_CASE("coro: a result may be large, or move-only, or made by conversion") {
    const auto large = [](int value) -> Coro<std::array<int, 2048>> {
      std::array<int, 2048> result{};
      result.back() = value;
      co_return result;
    };
    const auto moved = []() -> Coro<std::unique_ptr<int>> {
      auto result = std::make_unique<int>(7);
      co_return result;
    };
    const auto converted = []() -> Coro<std::string> { co_return "text"; };
    CHECK(run(large(5)).back() == 5);
    CHECK(*run(moved()) == 7);
    CHECK(run(converted()) == "text");
  }

  TEST_CASE("coro: an exception crosses every level, and destroys the locals on its way") {
    const int before = Alive::count;
    struct Levels {
      static Coro<int> throws_below(int levels) {
        const Alive local;
        if (levels == 0) throw std::out_of_range("far");
        co_return co_await throws_below(levels - 1);
      }
      static Coro<std::string> catches(int alive_before) {
        std::string text;
        try {
          co_await throws_below(50);
        } catch (const std::out_of_range& error) {
          text = error.what();
        }
        if (Alive::count != alive_before) text += ", but locals are left";
        co_return text;
      }
    };
    CHECK(run(Levels::catches(before)) == "far");
  }

  TEST_CASE("coro: what an argument throws while it is copied leaves the call") {
    struct Refuses {
      Refuses() = default;
      Refuses(const Refuses&) { throw std::out_of_range("no copies"); }
    };
    const auto takes = [](Alive, Refuses) -> Coro<> { co_return; };
    const int before = Alive::count;
    const Refuses refuses;
    CHECK_THROWS_AS(static_cast<void>(takes(Alive(), refuses)), std::out_of_range);
    CHECK(Alive::count == before);
  }

  TEST_CASE("coro: a result that cannot be made is an exception of the await") {
    struct Picky {
      explicit(false) Picky(int value) {
        if (value < 0) throw std::out_of_range("negative");
      }
    };
    const auto picky = [](int value) -> Coro<Picky> { co_return value; };
    CHECK_THROWS_AS(run(picky(-1)), std::out_of_range);
  }

  // CPython: test_coroutines.py test_func_15
  TEST_CASE("coro: awaited a second time, it throws") {
    const auto twice = []() -> Coro<std::string> {
      Coro<int> coro = gives(1);
      co_await std::move(coro);
      co_return co_await error_of(std::move(coro));
    };
    CHECK(run(twice()) == "cannot reuse already awaited coroutine");
  }

  TEST_CASE("coro: awaited after it was moved from, it throws") {
    const auto moved_from = []() -> Coro<std::string> {
      Coro<int> coro = gives(1);
      const Coro<int> other = std::move(coro);
      std::string text = "ran";
      try {
        co_await std::move(coro);
      } catch (const RuntimeError& error) {
        text = error.what();
      }
      co_return text;
    };
    CHECK(run(moved_from()) == "cannot reuse already awaited coroutine");
  }

  TEST_CASE("coro: one that was awaited, or moved from, cannot become a task") {
    const auto used = []() -> Coro<std::string> {
      Coro<int> coro = gives(1);
      co_await std::move(coro);
      std::string text = error_of_call([&] { weir::create_task(std::move(coro)); });
      text += "; " + error_of_call([&] { weir::create_task(std::move(coro)); });
      co_return text;
    };
    CHECK(run(used()) ==
          "cannot reuse already awaited coroutine; cannot reuse already awaited coroutine");
  }

  TEST_CASE("coro: moved before it is awaited, it runs from its new place") {
    const auto moves = []() -> Coro<int> {
      std::vector<Coro<int>> coros;
      for (int i = 0; i < 10; ++i) coros.push_back(gives(i));  // Reallocates.
      int sum = 0;
      for (Coro<int>& coro : coros) sum += co_await std::move(coro);
      co_return sum;
    };
    CHECK(run(moves()) == 45);
  }

  TEST_CASE("coro: assigning to one destroys what it held, and nothing runs") {
    const int before = Alive::count;
    std::string trace;
    Coro<> coro = says(&trace, "first", Alive());
    coro = says(&trace, "second", Alive());
    CHECK(Alive::count == before + 1);
    run(std::move(coro));
    CHECK(trace == "second");
    CHECK(Alive::count == before);
  }

  TEST_CASE("coro: the frame of an awaited one goes at the end of the expression") {
    const auto looks = [](int alive_before) -> Coro<int> {
      std::string trace;
      co_await says(&trace, "x", Alive());
      co_return Alive::count - alive_before;
    };
    CHECK(run(looks(Alive::count)) == 0);
  }

  TEST_CASE("coro: results come back in order from either side of the inline depth") {
    struct Deep {
      static Coro<std::string> counts(int levels) {
        std::string text;
        if (levels > 0) text = co_await counts(levels - 1);
        co_return text + static_cast<char>('a' + levels % 26);
      }
    };
    for (const int levels : {0, 1, 30, 31, 32, 33, 34, 65, 100}) {
      const std::string text = run(Deep::counts(levels));
      CHECK(text.size() == static_cast<std::size_t>(levels) + 1);
      CHECK(text.front() == 'a');
      CHECK(text.back() == static_cast<char>('a' + levels % 26));
    }
  }

  TEST_CASE("coro: after a suspension, inline starts are counted anew") {
    struct Deep {
      static Coro<int> suspends_below(int levels) {
        int below = 0;
        if (levels > 0) below = co_await suspends_below(levels - 1);
        co_await weir::sleep(std::chrono::seconds(0));
        for (int i = 0; i < 40; ++i) below += co_await gives(1);
        co_return below;
      }
    };
    CHECK(run(Deep::suspends_below(50)) == 51 * 40);
  }

  TEST_CASE("coro: every frame is freed once, whichever way it went") {
    const int before = Alive::count;
    {
      TestLoop test;
      const auto mixed = [](Alive, int levels) -> Coro<> {
        std::string trace;
        co_await says(&trace, "run", Alive());
        const Coro<> unused = says(&trace, "never", Alive());
        if (levels % 2 == 0) co_await weir::sleep(std::chrono::seconds(levels));
        if (levels % 3 == 0) throw std::out_of_range("far");
      };
      std::vector<Task<>> tasks;
      for (int i = 0; i < 12; ++i) tasks.push_back(test.loop.create_task(mixed(Alive(), i)));
      test.advance(std::chrono::seconds(6));
      for (const Task<>& task : tasks) task.cancel();
    }
    CHECK(Alive::count == before);
  }

  TEST_CASE("dropped body: awaited inline, it is an error that says what to write") {
    bodies = 0;
    const std::string outcome = run(awaits_dropped_at(0));
    check_dropped(outcome);
  }

  TEST_CASE("dropped body: beyond the inline depth, it is the same error") {
    bodies = 0;
    const std::string outcome = run(awaits_dropped_at(100));
    check_dropped(outcome);
  }

  TEST_CASE("dropped body: as the outermost of a task, it is the same error") {
    bodies = 0;
    TestLoop test;
    const std::string outcome = error_of_call([&] {
      const Task<> task = test.loop.create_task(drops_if(Alive()));
      test.settle();
      task.result();
    });
    check_dropped(outcome);
  }

  TEST_CASE("dropped body: it takes its arguments with it") {
    const int before = Alive::count;
    bodies = 0;
    static_cast<void>(error_of_call([] { const Coro<> coro = drops_if(Alive()); }));
    CHECK(Alive::count == before);
  }

  TEST_CASE("B77: every shape whose body g++ 12 drops is noticed") {
    bodies = 0;
    std::string outcome;
    SUBCASE("while") {
      outcome = error_of_call([] { run(drops_while(Alive())); });
    }
    SUBCASE("for ever") {
      outcome = error_of_call([] { run(drops_for_ever(Alive())); });
    }
    SUBCASE("switch") {
      outcome = error_of_call([] { run(drops_switch(Alive())); });
    }
    SUBCASE("wide") {
      outcome = error_of_call([] { run(drops_wide(Alive())); });
    }
    check_dropped(outcome);
  }

  TEST_CASE("dropped body: a coroutine made while the argument of another is copied is no alarm") {
    struct Nested {
      Nested() = default;
      Nested(const Nested&) : coro(gives(3)) {}
      Coro<int> coro = gives(4);
    };
    const auto takes = [](Nested nested) -> Coro<int> {
      co_return co_await std::move(nested.coro);
    };
    const Nested nested;
    CHECK(run(takes(nested)) == 3);
  }
}
