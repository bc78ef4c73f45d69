// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::Future;
using weir::Task;
using weir::test::Alive;
using weir::test::cancel_message_of;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

/// What a coroutine under test writes down, and the task that it runs in.
struct Log {
  std::string text;
  std::optional<Task<std::string>> task;
};

template <class A>
Coro<std::string> awaits(A awaitable) {
  co_await awaitable;
  co_return "ended";
}

/// Catches the cancellation of its await, and ends normally.
template <class A>
Coro<std::string> swallows(A awaitable) {
  std::string message = "not cancelled";
  try {
    co_await awaitable;
  } catch (const CancelledError& error) {
    message = "swallowed " + error.message();
  }
  co_return message;
}

Coro<std::string> cancels_itself(Log* log, bool then_awaits, std::uint32_t then_uncancels) {
  log->task->cancel("self");
  for (; then_uncancels > 0; --then_uncancels) log->task->uncancel();
  if (then_awaits) co_await weir::sleep(0s);
  log->text += "past";
  co_return "ended";
}

Coro<> goes_down(int levels, Future<> future, std::string* trace) {
  struct Leaves {
    std::string* words;
    int level;
    ~Leaves() { *words += static_cast<char>('0' + level); }
  };
  const Leaves leaves{trace, levels};
  if (levels > 0) {
    co_await goes_down(levels - 1, future, trace);
  } else {
    co_await future;
  }
}

}  // namespace

TEST_SUITE("reactor/task/task_cancel") {
  // CPython: test_tasks.py test_cancel
  TEST_CASE("cancel: thrown at the await where the task is parked, in the next pass") {
    TestLoop test;
    const Future<> future(test.loop);
    const Task<std::string> task = test.loop.create_task(awaits(future));
    test.pass();
    CHECK(task.cancel());
    CHECK_FALSE(task.done());
    test.pass();
    CHECK(task.cancelled());
    CHECK(future.cancelled());
    CHECK_THROWS_AS(task.result(), CancelledError);
  }

  // CPython: test_tasks.py test_cancel_with_message_before_starting_task
  TEST_CASE("cancel: before its first step, the body never runs and its arguments go") {
    const int before = Alive::count;
    TestLoop test;
    std::string trace;
    const auto says = [](std::string* words, Alive) -> Coro<> {
      *words += "body";
      co_return;
    };
    const Task<> task = test.loop.create_task(says(&trace, Alive()));
    CHECK(task.cancel("early"));
    CHECK_FALSE(task.done());
    test.pass();
    CHECK(task.cancelled());
    CHECK(cancel_message_of([&] { task.result(); }) == "early");
    CHECK(trace.empty());
    CHECK(Alive::count == before);
  }

  TEST_CASE("cancel: a done task refuses, and stays as it is") {
    TestLoop test;
    const auto gives = []() -> Coro<int> { co_return 7; };
    const Task<int> task = test.loop.create_task(gives());
    test.settle();
    CHECK_FALSE(task.cancel());
    CHECK(task.cancelling() == 0);
    CHECK(task.result() == 7);
  }

  TEST_CASE("cancel: goes to the innermost await of nested coroutines, and unwinds them in order") {
    TestLoop test;
    std::string trace;
    const Future<> future(test.loop);
    const Task<> task = test.loop.create_task(goes_down(5, future, &trace));
    test.pass();
    task.cancel();
    test.pass();
    CHECK(task.cancelled());
    CHECK(trace == "012345");
  }

  // CPython: test_tasks.py test_cancel_yield
  TEST_CASE("cancel: a task that has only given up a pass is cancelled there") {
    TestLoop test;
    const Task<std::string> task = test.loop.create_task(awaits(weir::sleep(0s)));
    test.pass();
    task.cancel();
    test.pass();
    CHECK(task.cancelled());
    CHECK_FALSE(task.cancel());
  }

  // CPython: test_tasks.py test_cancel_with_message_then_future_result
  TEST_CASE("message: reaches the coroutine, and whoever awaits the task") {
    TestLoop test;
    const Task<std::string> inner = test.loop.create_task(swallows(Future<>(test.loop)));
    const Task<std::string> slept = test.loop.create_task(swallows(weir::sleep(1h)));
    const Task<std::string> lost = test.loop.create_task(awaits(Future<>(test.loop)));
    const Task<std::string> outer = test.loop.create_task(swallows(lost));
    test.pass();
    inner.cancel("m1");
    slept.cancel("m2");
    lost.cancel("m3");
    test.settle();
    CHECK(inner.result() == "swallowed m1");
    CHECK(slept.result() == "swallowed m2");
    CHECK(cancel_message_of([&] { lost.result(); }) == "m3");
    CHECK(outer.result() == "swallowed m3");
  }

  // CPython: test_tasks.py test_cancel_with_message_then_future_exception
  TEST_CASE("message: result() and exception() of the cancelled task throw it") {
    TestLoop test;
    const Task<std::string> task = test.loop.create_task(awaits(Future<>(test.loop)));
    test.pass();
    task.cancel("my message");
    test.settle();
    CHECK(cancel_message_of([&] { task.result(); }) == "my message");
    CHECK(cancel_message_of([&] { task.exception(); }) == "my message");
  }

  TEST_CASE("message: of several, a parked task throws the first") {
    TestLoop test;
    const Task<std::string> on_future = test.loop.create_task(swallows(Future<>(test.loop)));
    const Task<std::string> on_sleep = test.loop.create_task(swallows(weir::sleep(1h)));
    test.pass();
    for (const char* message : {"first", "second", "third"}) {
      CHECK(on_future.cancel(message));
      CHECK(on_sleep.cancel(message));
    }
    test.settle();
    CHECK(on_future.result() == "swallowed first");
    CHECK(on_sleep.result() == "swallowed first");
  }

  TEST_CASE("message: before the first step, and after the wake-up, the last one counts") {
    TestLoop test;
    const Task<std::string> unborn = test.loop.create_task(awaits(Future<>(test.loop)));
    unborn.cancel("first");
    unborn.cancel("second");
    const Future<> future(test.loop);
    const Task<std::string> woken = test.loop.create_task(swallows(future));
    test.pass();
    future.set_result();
    woken.cancel("first");
    woken.cancel("second");
    test.settle();
    CHECK(cancel_message_of([&] { unborn.result(); }) == "second");
    CHECK(woken.result() == "swallowed second");
  }

  TEST_CASE("twice: cancelled again before it hears of the first, it hears once") {
    TestLoop test;
    const auto counts = [](Future<> first, Future<> second) -> Coro<int> {
      int heard = 0;
      for (const Future<>& future : {first, second}) {
        try {
          co_await future;
        } catch (const CancelledError&) {
          ++heard;
        }
      }
      co_return heard;
    };
    const Future<> second(test.loop);
    const Task<int> task = test.loop.create_task(counts(Future<>(test.loop), second));
    test.pass();
    task.cancel();
    task.cancel();
    CHECK(task.cancelling() == 2);
    test.settle();
    second.set_result();
    test.settle();
    CHECK(task.result() == 1);
  }

  TEST_CASE("twice: cancelled again after it has heard, it hears again") {
    TestLoop test;
    const auto persists = [](Future<> first, Future<> second) -> Coro<std::string> {
      std::string trace;
      try {
        co_await first;
      } catch (const CancelledError& error) {
        trace += error.message();
      }
      try {
        co_await second;
      } catch (const CancelledError& error) {
        trace += error.message();
      }
      co_return trace;
    };
    const Task<std::string> task =
        test.loop.create_task(persists(Future<>(test.loop), Future<>(test.loop)));
    test.pass();
    task.cancel("a");
    test.pass();
    task.cancel("b");
    test.pass();
    CHECK(task.result() == "ab");
  }

  // CPython: test_tasks.py test_cancel_task_catching, test_cancel_task_ignoring
  TEST_CASE("swallowed: the task ends normally, and the request stays counted") {
    TestLoop test;
    const Task<std::string> task = test.loop.create_task(swallows(Future<>(test.loop)));
    test.pass();
    task.cancel("m");
    test.settle();
    CHECK_FALSE(task.cancelled());
    CHECK(task.result() == "swallowed m");
    CHECK(task.cancelling() == 1);
  }

  // CPython: test_tasks.py test_cancel_task_ignoring
  TEST_CASE("swallowed: what the task awaits after that is left alone") {
    TestLoop test;
    const Future<> first(test.loop);
    const Future<> second(test.loop);
    const auto goes_on = [](Future<> cancelled, Future<> awaited) -> Coro<std::string> {
      try {
        co_await cancelled;
      } catch (const CancelledError&) {
      }
      co_await awaited;
      co_return "went on";
    };
    const Task<std::string> task = test.loop.create_task(goes_on(first, second));
    test.pass();
    task.cancel();
    test.settle();
    CHECK(first.cancelled());
    CHECK_FALSE(second.cancelled());
    second.set_result();
    test.settle();
    CHECK(task.result() == "went on");
  }

  // CPython: test_tasks.py test_cancel_current_task
  TEST_CASE("self: cancelled while it runs, its next await throws") {
    TestLoop test;
    Log log;
    log.task = test.loop.create_task(cancels_itself(&log, true, 0));
    test.settle();
    CHECK(log.task->cancelled());
    CHECK(log.text.empty());
  }

  TEST_CASE("self: cancelled while it runs, it does not wait for what it awaits next") {
    TestLoop test;
    std::optional<Task<std::string>> task;
    const auto waits_long = [](std::optional<Task<std::string>>* self, Future<> future,
                               bool on_future) -> Coro<std::string> {
      (*self)->cancel("self");
      if (on_future) co_await future;
      co_await weir::sleep(1h);
      co_return "slept";
    };
    const Future<> future(test.loop);
    for (const bool on_future : {false, true}) {
      task = test.loop.create_task(waits_long(&task, future, on_future));
      test.settle();
      REQUIRE(task->cancelled());
      CHECK(cancel_message_of([&] { task->result(); }) == "self");
      CHECK(test.loop.timers().empty());
    }
    CHECK(future.cancelled());
  }

  // CPython: test_tasks.py test_cancel_awaited_task; bpo-34872
  TEST_CASE("self: cancelled while it runs, the task that it awaits next is cancelled as well") {
    TestLoop test;
    const Future<> future(test.loop);
    const Task<std::string> nested = test.loop.create_task(awaits(future));
    test.pass();
    std::optional<Task<std::string>> task;
    const auto awaits_nested = [](std::optional<Task<std::string>>* self,
                                  Task<std::string> inner) -> Coro<std::string> {
      (*self)->cancel();
      co_return co_await inner;
    };
    task = test.loop.create_task(awaits_nested(&task, nested));
    test.settle();
    CHECK(task->cancelled());
    CHECK(nested.cancelled());
    CHECK(future.cancelled());
  }

  // CPython: test_tasks.py test_cancel_at_end
  TEST_CASE("self: cancelled while it runs, it ends cancelled even without another await") {
    TestLoop test;
    Log log;
    log.task = test.loop.create_task(cancels_itself(&log, false, 0));
    test.settle();
    CHECK(log.text == "past");
    CHECK(log.task->cancelled());
    CHECK(cancel_message_of([&] { log.task->result(); }) == "self");
  }

  TEST_CASE("self: an await that does not suspend does not throw") {
    TestLoop test;
    Log log;
    const auto passes_done_future = [](Log* shared, Future<int> done) -> Coro<std::string> {
      shared->task->cancel();
      const int value = co_await done;
      shared->text += std::to_string(value);
      co_await weir::sleep(0s);
      co_return "ended";
    };
    const Future<int> done(test.loop);
    done.set_result(7);
    log.task = test.loop.create_task(passes_done_future(&log, done));
    test.settle();
    CHECK(log.text == "7");
    CHECK(log.task->cancelled());
  }

  TEST_CASE("self: cancelled while it runs, what it throws of its own counts more") {
    TestLoop test;
    Log log;
    const auto fails = [](Log* shared) -> Coro<std::string> {
      shared->task->cancel();
      throw std::out_of_range("far");
      co_return "";
    };
    log.task = test.loop.create_task(fails(&log));
    test.settle();
    CHECK_FALSE(log.task->cancelled());
    CHECK_THROWS_AS(log.task->result(), std::out_of_range);
  }

  // CPython: test_tasks.py test_uncancel_basic
  TEST_CASE("count: cancelling() counts requests, uncancel() takes back, never below zero") {
    TestLoop test;
    const Task<std::string> task = test.loop.create_task(swallows(Future<>(test.loop)));
    test.pass();
    CHECK(task.cancelling() == 0);
    CHECK(task.uncancel() == 0);
    task.cancel();
    task.cancel();
    CHECK(task.cancelling() == 2);
    CHECK(task.uncancel() == 1);
    CHECK(task.uncancel() == 0);
    CHECK(task.uncancel() == 0);
    CHECK(task.cancelling() == 0);
  }

  // CPython: test_tasks.py test_cancelling
  TEST_CASE("count: repr() says cancelling from the request to the end") {
    TestLoop test;
    const Task<std::string> task = test.loop.create_task(awaits(weir::sleep(10s)), "t");
    test.pass();
    CHECK(task.repr() == "<Task pending name='t'>");
    task.cancel();
    CHECK(task.repr() == "<Task cancelling name='t'>");
    CHECK(task.cancel());
    task.uncancel();
    task.uncancel();
    CHECK(task.repr() == "<Task pending name='t'>");
    test.settle();
    CHECK(task.repr() == "<Task cancelled name='t'>");
  }

  // CPython: test_tasks.py test_uncancel_resets_must_cancel (3.13)
  TEST_CASE("uncancel: at zero, a cancellation that has not struck yet never does") {
    TestLoop test;
    Log log;
    log.task = test.loop.create_task(cancels_itself(&log, true, 1));
    test.settle();
    CHECK(log.task->result() == "ended");
  }

  TEST_CASE("uncancel: above zero, the cancellation still strikes") {
    TestLoop test;
    Log log;
    const auto cancels_twice = [](Log* shared) -> Coro<std::string> {
      shared->task->cancel();
      shared->task->cancel();
      shared->task->uncancel();
      co_await weir::sleep(0s);
      co_return "ended";
    };
    log.task = test.loop.create_task(cancels_twice(&log));
    test.settle();
    CHECK(log.task->cancelled());
  }

  TEST_CASE("uncancel: too late for a cancellation that the await has taken") {
    TestLoop test;
    const Task<std::string> on_sleep = test.loop.create_task(awaits(weir::sleep(1h)));
    const Task<std::string> on_future = test.loop.create_task(awaits(Future<>(test.loop)));
    test.pass();
    on_sleep.cancel();
    on_future.cancel();
    CHECK(on_sleep.uncancel() == 0);
    CHECK(on_future.uncancel() == 0);
    test.settle();
    CHECK(on_sleep.cancelled());
    CHECK(on_future.cancelled());
  }

  TEST_CASE("uncancel: before the first step it lets the body run after all") {
    TestLoop test;
    const auto gives = []() -> Coro<int> { co_return 7; };
    const Task<int> task = test.loop.create_task(gives());
    task.cancel();
    task.uncancel();
    test.settle();
    CHECK(task.result() == 7);
  }

  TEST_CASE("inner task: cancelled in place of the outer, which hears when the inner has ended") {
    TestLoop test;
    const auto lingers = [](Future<> future, Future<> release) -> Coro<> {
      std::string message;
      try {
        co_await future;
      } catch (const CancelledError& error) {
        message = error.message();
      }
      co_await release;
      throw CancelledError(message);
    };
    const Future<> release(test.loop);
    const Task<> inner = test.loop.create_task(lingers(Future<>(test.loop), release));
    const Task<std::string> outer = test.loop.create_task(swallows(inner));
    test.pass();
    CHECK(outer.cancel("m"));
    test.settle();
    CHECK(inner.cancelling() == 1);
    CHECK_FALSE(outer.done());
    release.set_result();
    test.settle();
    CHECK(inner.cancelled());
    CHECK(outer.result() == "swallowed m");
  }

  TEST_CASE("inner task: if it swallows the cancellation, the outer never hears of it") {
    TestLoop test;
    const Task<std::string> inner = test.loop.create_task(swallows(Future<>(test.loop)));
    const Task<std::string> outer = test.loop.create_task(awaits(inner));
    test.pass();
    outer.cancel();
    test.settle();
    CHECK(outer.result() == "ended");
    CHECK(outer.cancelling() == 1);
  }

  TEST_CASE("woken: a cancellation between wake-up and resumption throws in place of the result") {
    TestLoop test;
    const Future<> future(test.loop);
    const Task<std::string> on_future = test.loop.create_task(swallows(future));
    const Task<std::string> on_sleep = test.loop.create_task(swallows(weir::sleep(1s)));
    test.pass();
    future.set_result();
    on_future.cancel("late");
    test.kernel.advance(1s);
    test.loop.call_soon([&] { on_sleep.cancel("late too"); });
    test.settle();
    CHECK(on_future.result() == "swallowed late");
    CHECK(on_sleep.result() == "swallowed late too");
  }

  TEST_CASE("woken: a cancellation that comes with the inner task's result wins") {
    TestLoop test;
    const Task<std::string> inner = test.loop.create_task(awaits(weir::sleep(0s)));
    const Task<std::string> outer = test.loop.create_task(swallows(inner));
    test.pass(2);
    CHECK(inner.result() == "ended");
    CHECK(outer.cancel("late"));
    test.settle();
    CHECK(outer.result() == "swallowed late");
  }

  TEST_CASE("woken: an exception that a cancellation outran counts as heard") {
    TestLoop test;
    auto future = std::make_unique<Future<>>(test.loop);
    const Task<std::string> task = test.loop.create_task(swallows(*future));
    test.pass();
    future->set_exception(std::out_of_range("far"));
    task.cancel("late");
    future.reset();
    test.settle();
    CHECK(task.result() == "swallowed late");
    CHECK(test.take_reports().empty());
  }

  TEST_CASE("future: cancelled by somebody else, the task hears, and nothing was asked of it") {
    TestLoop test;
    const Future<> future(test.loop);
    const Task<std::string> task = test.loop.create_task(awaits(future));
    test.pass();
    future.cancel("theirs");
    test.settle();
    CHECK(task.cancelled());
    CHECK(task.cancelling() == 0);
    CHECK(cancel_message_of([&] { task.result(); }) == "theirs");
  }

  // CPython: test_tasks.py test_cancel_both_task_and_inner_future
  TEST_CASE("future: cancelled first and the task then, both are cancelled") {
    TestLoop test;
    const Future<> future(test.loop);
    const Task<std::string> task = test.loop.create_task(awaits(future));
    test.pass();
    future.cancel();
    CHECK(task.cancel());
    test.settle();
    CHECK(future.cancelled());
    CHECK(task.cancelled());
  }

  TEST_CASE("deadlock: two tasks that await each other can be cancelled") {
    TestLoop test;
    std::optional<Task<>> a;
    std::optional<Task<>> b;
    const auto awaits_slot = [](std::optional<Task<>>* slot) -> Coro<> {
      const Task<> other = **slot;
      co_await other;
    };
    a = test.loop.create_task(awaits_slot(&b));
    b = test.loop.create_task(awaits_slot(&a));
    const Task<> c = test.loop.create_task(awaits_slot(&a));
    test.settle();
    SUBCASE("from inside") { a->cancel("enough"); }
    SUBCASE("from outside") { c.cancel("enough"); }
    test.settle();
    CHECK(a->cancelled());
    CHECK(b->cancelled());
    CHECK(c.cancelled());
  }

  TEST_CASE("deadlock: the task whose wait was ended hears alone of what it is asked next") {
    TestLoop test;
    std::optional<Task<>> a;
    std::optional<Task<>> b;
    const auto awaits_slot = [](std::optional<Task<>>* slot) -> Coro<> {
      const Task<> other = **slot;
      co_await other;
    };
    a = test.loop.create_task(awaits_slot(&b));
    b = test.loop.create_task(awaits_slot(&a));
    test.settle();
    a->cancel();  // Goes on to b, whose wait for a it ends.
    b->cancel();
    CHECK(a->cancelling() == 1);
    CHECK(b->cancelling() == 2);
    test.settle();
    CHECK(a->cancelled());
  }
}
