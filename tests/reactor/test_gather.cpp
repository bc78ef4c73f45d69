// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/gather.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::Future;
using weir::gather;
using weir::Outcome;
using weir::Task;
using weir::test::cancel_message_of;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

Coro<int> gives(int value, weir::Delay delay = 0s) {
  co_await weir::sleep(delay);
  co_return value;
}
Coro<std::string> says(std::string text) { co_return text; }
Coro<> nothing() { co_return; }
Coro<int> fails(std::string text, weir::Delay delay = 0s) {
  co_await weir::sleep(delay);
  throw std::out_of_range(text);
}

/// Nobody can have a copy of it.
struct Fragile {
  Fragile() = default;
  Fragile(Fragile&&) = default;
  Fragile& operator=(Fragile&&) = default;
  Fragile(const Fragile&) { throw std::out_of_range("no copies"); }
  Fragile& operator=(const Fragile&) = default;
};

/// Gathers the coroutines of `make` inside a task, and returns their results.
template <class F>
auto gathering(F make) -> Coro<weir::detail::AwaitResult<decltype(make())>> {
  auto outer = make();
  co_return co_await outer;
}

}  // namespace

TEST_SUITE("reactor/task/gather") {
  TEST_CASE("gather: a result that cannot be copied is the outer one's failure") {
    TestLoop test;
    const Future<Fragile> a(test.loop);
    const Future<Fragile> kept = a;
    const auto outer = gather(a);
    a.set_result(Fragile());
    test.settle();
    CHECK(outer.exception() != nullptr);
    CHECK(weir::message_of(outer.exception()) == "no copies");
  }

  // CPython: test_tasks.py GatherTestsBase test_success
  TEST_CASE("gather: results stand in the order of the arguments, not of their ends") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    const auto outer = gather(a, b);
    b.set_result(2);
    test.settle();
    CHECK_FALSE(outer.done());
    a.set_result(1);
    test.pass();
    CHECK(outer.result() == std::tuple(1, 2));
  }

  TEST_CASE("gather: different types make a tuple, and nothing is a monostate") {
    TestLoop test;
    const auto both = [] { return gather(gives(1), says("x"), nothing()); };
    const auto result = test.loop.run_until_complete(gathering(both));
    CHECK(result == std::tuple(1, std::string("x"), std::monostate()));
  }

  // CPython: test_tasks.py GatherTestsBase test_success
  TEST_CASE("gather: a range makes a vector, and its coroutines run side by side") {
    TestLoop test;
    const auto all = [] {
      std::vector<Coro<int>> coros;
      for (int i = 0; i < 3; ++i) coros.push_back(gives(i, 1s));
      return gather(std::move(coros));
    };
    const Task<std::vector<int>> task = test.loop.create_task(gathering(all));
    test.settle();
    test.advance(1s);
    CHECK(task.result() == std::vector{0, 1, 2});
  }

  TEST_CASE("gather: a range of what returns nothing returns nothing") {
    TestLoop test;
    const std::vector<Future<>> futures{Future<>(test.loop), Future<>(test.loop)};
    const Future<> outer = gather(futures);
    for (const Future<>& future : futures) future.set_result();
    test.pass();
    CHECK(outer.done());
    CHECK_NOTHROW(outer.result());
  }

  TEST_CASE("gather: a result that can only be moved is moved") {
    TestLoop test;
    const auto owns = [](int value) -> Coro<std::unique_ptr<int>> {
      co_return std::make_unique<int>(value);
    };
    const auto takes = [](auto make) -> Coro<int> {
      std::vector<Coro<std::unique_ptr<int>>> coros;
      coros.push_back(make(3));
      coros.push_back(make(4));
      const std::vector<std::unique_ptr<int>> all = co_await gather(std::move(coros));
      co_return *all[0] + *all[1];
    };
    CHECK(test.loop.run_until_complete(takes(owns)) == 7);
  }

  // CPython: test_tasks.py FutureGatherTests test_constructor_empty_sequence_use_running_loop
  TEST_CASE("gather: of nothing is done at once") {
    TestLoop test;
    const auto empty = []() -> Coro<bool> {
      const auto none = gather();
      const auto no_range = gather(std::vector<Coro<int>>());
      co_return none.done() && no_range.result().empty();
    };
    CHECK(test.loop.run_until_complete(empty()));
  }

  // CPython: test_tasks.py CoroutineGatherTests test_constructor_use_running_loop,
  // FutureGatherTests test_constructor_empty_sequence_use_running_loop
  TEST_CASE("gather: of coroutines, or of nothing, belongs to the running loop") {
    TestLoop test;
    const auto none = [](bool* ours) -> Coro<> {
      *ours = &gather().get_loop() == &weir::get_running_loop();
      co_return;
    };
    const auto both = [](bool* ours) -> Coro<> {
      const auto outer = gather(gives(1), gives(2));
      *ours = &outer.get_loop() == &weir::get_running_loop();
      const std::tuple<int, int> result = co_await outer;
      CHECK(result == std::tuple(1, 2));
    };
    bool ours = false;
    SUBCASE("nothing") { test.loop.run_until_complete(none(&ours)); }
    SUBCASE("coroutines") { test.loop.run_until_complete(both(&ours)); }
    CHECK(ours);
  }

  // CPython: test_tasks.py FutureGatherTests test_constructor_homogenous_futures
  TEST_CASE("gather: of futures belongs to their loop, whether it runs or not") {
    TestLoop test;
    const std::vector<Future<int>> children{Future<int>(test.loop), Future<int>(test.loop)};
    const auto outer = gather(children);
    CHECK(&outer.get_loop() == &test.loop);
    test.settle();
    CHECK_FALSE(outer.done());
  }

  // CPython: test_tasks.py FutureGatherTests test_constructor_empty_sequence_without_loop
  TEST_CASE("gather: of nothing needs a running loop") {
    CHECK_THROWS_WITH_AS(static_cast<void>(gather()), "no running event loop", weir::RuntimeError);
    CHECK_THROWS_WITH_AS(static_cast<void>(gather(std::vector<Coro<int>>())),
                         "no running event loop", weir::RuntimeError);
  }

  // CPython: test_tasks.py CoroutineGatherTests test_constructor_without_loop
  TEST_CASE("gather: coroutines need a running loop") {
    TestLoop test;
    CHECK_THROWS_WITH_AS(static_cast<void>(gather(gives(1))), "no running event loop",
                         weir::RuntimeError);
  }

  // CPython: test_tasks.py FutureGatherTests test_constructor_heterogenous_futures
  TEST_CASE("gather: futures of two loops are refused") {
    TestLoop test;
    TestLoop other;
    const Future<int> a(test.loop);
    const Future<int> b(other.loop);
    CHECK_THROWS_WITH_AS(
        static_cast<void>(gather(a, b)),
        "The future belongs to a different loop than the one specified as the loop argument",
        weir::ValueError);
  }

  // CPython: test_tasks.py CoroutineGatherTests test_duplicate_coroutines
  TEST_CASE("gather: a future that is given twice gives its result twice") {
    TestLoop test;
    const Future<std::string> future(test.loop);
    const auto outer = gather(future, future);
    future.set_result("x");
    test.pass();
    CHECK(outer.result() == std::tuple(std::string("x"), std::string("x")));
  }

  TEST_CASE("pass: what is done counts at once, the rest in the pass after its end") {
    TestLoop test;
    const Future<int> done(test.loop);
    done.set_result(1);
    CHECK(gather(done, done).done());
    const Future<int> later(test.loop);
    const auto outer = gather(done, later);
    later.set_result(2);
    CHECK_FALSE(outer.done());
    test.pass();
    CHECK(outer.done());
  }

  TEST_CASE("pass: two coroutines that return at once are gathered in two") {
    TestLoop test;
    const auto both = [] { return gather(says("a"), says("b")); };
    const auto task = test.loop.create_task(gathering(both));
    test.pass();  // The gathering task's own first step.
    test.pass();  // The children's.
    test.pass();  // Both are heard of.
    CHECK_FALSE(task.done());
    test.pass();
    CHECK(task.done());
  }

  // CPython: test_tasks.py GatherTestsBase test_one_exception
  TEST_CASE("error: the first is thrown at once, and the others go on") {
    TestLoop test;
    std::vector<Future<int>> futures;
    for (int i = 0; i < 3; ++i) futures.emplace_back(test.loop);
    const auto outer = gather(futures);
    futures[1].set_exception(std::out_of_range("far"));
    test.pass();
    CHECK_THROWS_WITH_AS(outer.result(), "far", std::out_of_range);
    CHECK_FALSE(futures[0].done());
    futures[0].set_result(1);
    futures[2].cancel();
    test.settle();
    CHECK_THROWS_AS(outer.result(), std::out_of_range);
  }

  // CPython: test_tasks.py CoroutineGatherTests test_exception_marking
  TEST_CASE("error: a second one is dropped, also when nobody holds the gather any more") {
    TestLoop test;
    const auto both = [] { return gather(fails("first"), fails("second", 1s)); };
    const auto task = test.loop.create_task(gathering(both));
    test.settle();
    CHECK_THROWS_WITH_AS(task.result(), "first", std::out_of_range);
    test.advance(1s);
    CHECK(test.take_reports().empty());
  }

  TEST_CASE("error: after the gather was given a result by hand, a child's is dropped") {
    TestLoop test;
    const Future<int> future(test.loop);
    const auto outer = gather(future);
    outer.set_result(7);
    future.set_exception(std::out_of_range("dropped"));
    test.settle();
    CHECK(outer.result() == std::tuple(7));
  }

  TEST_CASE("error: one that nobody fetches is reported, as the gather's") {
    TestLoop test;
    {
      const Future<int> future(test.loop);
      const auto outer = gather(future);
      future.set_exception(std::out_of_range("far"));
      test.settle();
    }
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "_GatheringFuture exception was never retrieved");
  }

  TEST_CASE("error: dropped before its end, a gather leaves each failure to its owner") {
    TestLoop test;
    {
      const Future<int> future(test.loop);
      static_cast<void>(gather(future));
      future.set_exception(std::out_of_range("far"));
    }
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "Future exception was never retrieved");
  }

  // CPython: test_tasks.py GatherTestsBase test_result_exception_success
  TEST_CASE("return_exceptions: when none fails, all results are there, in order") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    const auto outer = gather(weir::return_exceptions, a, b);
    b.set_result(2);
    test.settle();
    CHECK_FALSE(outer.done());
    a.set_result(1);
    test.pass();
    const auto& [first, second] = outer.result();
    CHECK(first.value() == 1);
    CHECK(second.value() == 2);
  }

  // CPython: test_tasks.py GatherTestsBase test_return_exceptions, FutureGatherTests
  // test_result_exception_one_cancellation
  TEST_CASE("return_exceptions: every outcome is part of the result") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<> b(test.loop);
    const Future<std::string> c(test.loop);
    const auto outer = gather(weir::return_exceptions, a, b, c);
    a.set_exception(std::out_of_range("far"));
    c.cancel("enough");
    test.settle();
    CHECK_FALSE(outer.done());
    b.set_result();
    test.pass();
    const auto& [first, second, third] = outer.result();
    CHECK(first.failed_with<std::out_of_range>());
    CHECK(second.has_value());
    CHECK(cancel_message_of([&outcome = third] { outcome.value(); }) == "enough");
  }

  TEST_CASE("return_exceptions: a range makes a vector of outcomes") {
    TestLoop test;
    const auto all = [] {
      std::vector<Coro<int>> coros;
      coros.push_back(gives(1));
      coros.push_back(fails("far"));
      return gather(weir::return_exceptions, std::move(coros));
    };
    const std::vector<Outcome<int>> each = test.loop.run_until_complete(gathering(all));
    CHECK(each[0].value() == 1);
    CHECK_THROWS_WITH_AS(each[1].value(), "far", std::out_of_range);
  }

  // CPython: test_tasks.py FutureGatherTests test_one_cancellation
  TEST_CASE("cancelled child: counts as CancelledError, and does not cancel the gather") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    const auto outer = gather(a, b);
    a.cancel("enough");
    test.pass();
    CHECK(outer.done());
    CHECK_FALSE(outer.cancelled());
    CHECK(cancel_message_of([&] { outer.result(); }) == "enough");
    b.set_exception(std::out_of_range("dropped"));
    test.settle();
  }

  TEST_CASE("cancel: cancels the children, and ends with a CancelledError that is an exception") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    const auto outer = gather(a, b);
    CHECK(outer.cancel("enough"));
    CHECK(a.cancelled());
    CHECK(b.cancelled());
    CHECK_FALSE(outer.done());
    test.pass();
    CHECK(outer.done());
    CHECK_FALSE(outer.cancelled());
    CHECK(cancel_message_of([&] { outer.result(); }) == "enough");
    CHECK_FALSE(outer.cancel());
  }

  TEST_CASE("cancel: with return_exceptions it is a CancelledError all the same") {
    TestLoop test;
    const Future<int> a(test.loop);
    const auto outer = gather(weir::return_exceptions, a);
    CHECK(outer.cancel("enough"));
    test.pass();
    CHECK(cancel_message_of([&] { outer.result(); }) == "enough");
  }

  // CPython: test_tasks.py test_cancel_gather_2
  TEST_CASE("cancel: of a task whose gather returns exceptions ends it, with the message") {
    TestLoop test;
    const auto gathers = []() -> Coro<> {
      for (;;) {
        const auto one = co_await gather(weir::return_exceptions, gives(1, 1s));
        static_cast<void>(one);
      }
    };
    const Task<> task = test.loop.create_task(gathers());
    test.settle();
    test.advance(1s);
    CHECK(task.cancel("enough"));
    test.settle();
    CHECK(task.cancelled());
    CHECK(cancel_message_of([&] { task.result(); }) == "enough");
  }

  // CPython: test_tasks.py test_cancel_gather_1
  TEST_CASE("cancel: when all children are done it is refused, and the results stay") {
    TestLoop test;
    const Future<int> a(test.loop);
    const auto outer = gather(a);
    a.set_result(42);
    CHECK_FALSE(outer.done());
    CHECK_FALSE(outer.cancel());
    test.pass();
    CHECK(outer.result() == std::tuple(42));
  }

  TEST_CASE("cancel: a child that swallows it does not save the gather") {
    TestLoop test;
    const auto swallows = []() -> Coro<int> {
      try {
        co_await weir::sleep(1h);
      } catch (const CancelledError&) {
      }
      co_return 1;
    };
    const Task<int> child = test.loop.create_task(swallows());
    test.pass();
    const auto outer = gather(child);
    outer.cancel();
    test.settle();
    CHECK(child.result() == 1);
    CHECK_THROWS_AS(outer.result(), CancelledError);
  }

  // CPython: test_tasks.py CoroutineGatherTests test_cancellation_broadcast
  TEST_CASE("cancel: of the task that awaits reaches the children first") {
    TestLoop test;
    const Task<int> a = test.loop.create_task(gives(1, 1h));
    const Task<int> b = test.loop.create_task(gives(2, 1h));
    const auto awaits = [](Task<int> x, Task<int> y) -> Coro<> {
      const auto both = co_await gather(x, y);
      static_cast<void>(both);
    };
    const Task<> task = test.loop.create_task(awaits(a, b));
    test.pass();
    CHECK(task.cancel());
    test.settle();
    CHECK(a.cancelled());
    CHECK(b.cancelled());
    CHECK(task.cancelled());
  }

  TEST_CASE("cancel: when all children are done it is too late for them, not for the task") {
    TestLoop test;
    const Future<int> a(test.loop);
    const auto awaits = [](Future<int> x) -> Coro<> {
      const auto one = co_await gather(x);
      static_cast<void>(one);
    };
    const Task<> task = test.loop.create_task(awaits(a));
    test.pass();
    a.set_result(1);
    CHECK(task.cancel("enough"));
    test.settle();
    CHECK(task.cancelled());
  }

  TEST_CASE("lifetime: dropped in the pass in which a child ends, nothing of it is left to run") {
    TestLoop test;
    const Future<int> child(test.loop);
    {
      const auto outer = gather(child, Future<int>(test.loop));
      child.set_result(1);
    }
    CHECK(test.loop.ready().pop() == nullptr);
  }

  TEST_CASE("deadlock: tasks that wait for each other through gathers can be cancelled") {
    TestLoop test;
    std::optional<Task<>> a;
    std::optional<Task<>> b;
    const auto gathers_slot = [](std::optional<Task<>>* slot) -> Coro<> {
      const auto outer = gather(**slot);
      co_await outer;
    };
    a = test.loop.create_task(gathers_slot(&b));
    SUBCASE("two") { b = test.loop.create_task(gathers_slot(&a)); }
    SUBCASE("one, for itself") { b = a; }
    test.settle();
    a->cancel();
    test.settle();
    CHECK(a->done());
    CHECK(b->done());
  }

  TEST_CASE("deadlock: tasks whose chain ends in a gather of one of them can be cancelled") {
    TestLoop test;
    std::optional<Task<>> a;
    std::optional<Task<>> b;
    std::optional<Task<>> c;
    const auto awaits_slot = [](std::optional<Task<>>* slot) -> Coro<> {
      const Task<> other = **slot;
      co_await other;
    };
    const auto gathers_slot = [](std::optional<Task<>>* slot) -> Coro<> {
      const auto outer = gather(**slot);
      co_await outer;
    };
    a = test.loop.create_task(awaits_slot(&b));
    b = test.loop.create_task(awaits_slot(&c));
    SUBCASE("the first") { c = test.loop.create_task(gathers_slot(&a)); }
    SUBCASE("the second") { c = test.loop.create_task(gathers_slot(&b)); }
    SUBCASE("the last") { c = test.loop.create_task(gathers_slot(&c)); }
    test.settle();
    a->cancel();
    a->cancel();  // Whoever has heard hears again: nobody is taken for one who still does.
    test.settle();
    CHECK(a->done());
    CHECK(b->done());
    CHECK(c->done());
  }
}
