// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::Delay;
using weir::Future;
using weir::Outcome;
using weir::Task;
using weir::TimeoutError;
using weir::test::Alive;
using weir::test::cancel_message_of;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

Coro<> appends(std::string* trace, std::string word, Delay delay = 0s) {
  co_await weir::sleep(delay);
  *trace += word;
}

template <class T>
Coro<T> gives(T value) {
  co_return value;
}

Coro<int> fails(std::string text) {
  throw std::out_of_range(text);
  co_return 1;
}

Coro<std::string> waits_for(Future<> future) {
  co_await future;
  co_return "ended";
}

template <class A>
Coro<Outcome<weir::detail::AwaitResult<A>>> outcome_of(A awaitable) {
  auto result = co_await weir::outcome(std::move(awaitable));
  co_return result;
}

}  // namespace

TEST_SUITE("reactor/task/recovery") {
  TEST_CASE("outcome: of a success is the value, move-only and void ones too") {
    TestLoop test;
    const auto a = test.loop.create_task(outcome_of(gives(7)));
    const auto b = test.loop.create_task(outcome_of(gives(std::make_unique<int>(8))));
    const auto c = test.loop.create_task(outcome_of(weir::sleep(0s)));
    test.settle();
    CHECK(a.result().value() == 7);
    CHECK(*b.result().value() == 8);
    CHECK(c.result().has_value());
  }

  TEST_CASE("outcome: of a failure is the exception, and nothing is thrown or reported") {
    TestLoop test;
    const auto task = test.loop.create_task(outcome_of(fails("far")));
    test.settle();
    CHECK(task.result().failed_with<std::out_of_range>());
    CHECK_THROWS_WITH_AS(task.result().value(), "far", std::out_of_range);
  }

  TEST_CASE("outcome: of a time-out is a TimeoutError") {
    TestLoop test;
    const auto task = test.loop.create_task(outcome_of(weir::wait_for(weir::sleep(1h), 1s)));
    test.pass();
    test.advance(1s);
    CHECK(task.result().failed_with<TimeoutError>());
  }

  TEST_CASE("outcome: of a cancellation is a value like any other, and the task lives on") {
    TestLoop test;
    const auto task = test.loop.create_task(outcome_of(waits_for(Future<>(test.loop))));
    test.pass();
    task.cancel("m");
    test.settle();
    REQUIRE_FALSE(task.cancelled());
    CHECK(task.result().cancelled());
    CHECK(cancel_message_of([&] { task.result().value(); }) == "m");
  }

  TEST_CASE("outcome: value() lets a cancellation that nobody handled through") {
    TestLoop test;
    const auto careless = [](Future<> future) -> Coro<> {
      const Outcome<> result = co_await weir::outcome(future);
      if (result.failed_with<TimeoutError>()) co_return;
      result.value();
    };
    const Task<> task = test.loop.create_task(careless(Future<>(test.loop)));
    test.pass();
    task.cancel();
    test.settle();
    CHECK(task.cancelled());
  }

  TEST_CASE("outcome: what recovers from a failure may await") {
    TestLoop test;
    std::string trace;
    const auto recovers = [](std::string* words) -> Coro<> {
      const Outcome<int> result = co_await weir::outcome(fails("far"));
      if (result.failed_with<std::out_of_range>()) co_await appends(words, "recovered", 1s);
    };
    test.loop.create_task(recovers(&trace));
    test.pass();
    test.advance(1s);
    CHECK(trace == "recovered");
  }

  TEST_CASE("finally_: runs the cleanup after a success, and gives the value") {
    TestLoop test;
    std::string trace;
    const auto task = test.loop.create_task(
        weir::finally_(gives(std::make_unique<int>(7)), appends(&trace, "c")));
    test.settle();
    CHECK(*task.result() == 7);
    CHECK(trace == "c");
  }

  TEST_CASE("finally_: starts the cleanup only when the first has ended") {
    TestLoop test;
    std::string trace;
    test.loop.create_task(weir::finally_(appends(&trace, "a", 1s), appends(&trace, "b")));
    test.pass();
    test.settle();
    CHECK(trace.empty());
    test.advance(1s);
    CHECK(trace == "ab");
  }

  TEST_CASE("finally_: runs the cleanup after a failure, and throws the failure") {
    TestLoop test;
    std::string trace;
    const Task<int> task =
        test.loop.create_task(weir::finally_(fails("far"), appends(&trace, "c")));
    test.settle();
    CHECK_THROWS_WITH_AS(task.result(), "far", std::out_of_range);
    CHECK(trace == "c");
  }

  TEST_CASE("finally_: runs the cleanup after a cancellation, and ends cancelled") {
    TestLoop test;
    std::string trace;
    const Task<std::string> task = test.loop.create_task(
        weir::finally_(waits_for(Future<>(test.loop)), appends(&trace, "c", 1s)));
    test.pass();
    task.cancel("m");
    test.settle();
    CHECK_FALSE(task.done());
    test.advance(1s);
    CHECK(trace == "c");
    CHECK(cancel_message_of([&] { task.result(); }) == "m");
  }

  TEST_CASE("finally_: a cleanup that throws replaces what came before") {
    TestLoop test;
    const auto after_success = test.loop.create_task(weir::finally_(gives(7), fails("cleanup")));
    const auto after_failure =
        test.loop.create_task(weir::finally_(fails("far"), fails("cleanup")));
    test.settle();
    CHECK_THROWS_WITH_AS(after_success.result(), "cleanup", std::out_of_range);
    CHECK_THROWS_WITH_AS(after_failure.result(), "cleanup", std::out_of_range);
  }

  TEST_CASE("finally_: cancelled during the cleanup, that is what it throws") {
    TestLoop test;
    std::string trace;
    const Task<int> task =
        test.loop.create_task(weir::finally_(fails("far"), appends(&trace, "c", 1h)));
    test.pass();
    task.cancel("late");
    test.settle();
    CHECK(task.cancelled());
    CHECK(trace.empty());
  }

  TEST_CASE("finally_: cancelled before it starts, neither runs and both are destroyed") {
    const int before = Alive::count;
    TestLoop test;
    const auto holds = [](Alive) -> Coro<> { co_return; };
    const Task<> task = test.loop.create_task(weir::finally_(holds(Alive()), holds(Alive())));
    CHECK(Alive::count == before + 2);
    task.cancel();
    test.settle();
    CHECK(task.cancelled());
    CHECK(Alive::count == before);
  }
}
