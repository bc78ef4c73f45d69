// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <weir/reactor/task/any_task.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/support/task_fixture.hpp>

using weir::all_tasks;
using weir::AnyTask;
using weir::Coro;
using weir::current_task;
using weir::EventLoop;
using weir::Future;
using weir::RuntimeError;
using weir::Task;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

/// Notes who runs, before and after it waits.
Coro<> notes_itself(Future<> awaited, Future<> completed, std::vector<AnyTask>* seen) {
  seen->push_back(*current_task());
  if (!completed.done()) completed.set_result();
  co_await awaited;
  seen->push_back(*current_task());
}

Coro<int> waits_for(Future<> future) {
  co_await future;
  co_return 7;
}

struct Timed {
  bool timed_out = false;
  bool finished = false;
  std::uint32_t cancelling = 0;
};

/// A time limit made by hand, as structured code does it: cancel, and take that back at the end.
Coro<Timed> limits_by_hand(weir::Duration work, weir::Duration limit) {
  const std::optional<AnyTask> self = current_task();
  Timed result;
  weir::TimerHandle timer = weir::get_running_loop().call_later(limit, [self, &result] {
    result.timed_out = true;
    self->cancel();
  });
  const weir::Outcome<> outcome = co_await weir::outcome(weir::sleep(work));
  timer.cancel();
  result.finished = !outcome.cancelled();
  if (result.timed_out) self->uncancel();
  co_await weir::sleep(0s);  // Would throw if the cancellation were still there.
  result.cancelling = self->cancelling();
  co_return result;
}

}  // namespace

TEST_SUITE("reactor/task/any_task") {
  // CPython: test_tasks.py test_current_task, test_current_task_with_implicit_loop
  TEST_CASE("current_task: is the task inside it, of its own loop only") {
    TestLoop test;
    TestLoop other;
    const auto asks = [](EventLoop* elsewhere, std::optional<AnyTask>* seen) -> Coro<> {
      *seen = current_task();
      CHECK(current_task(weir::get_running_loop()) == *seen);
      CHECK_FALSE(current_task(*elsewhere).has_value());
      co_return;
    };
    std::optional<AnyTask> seen;
    const Task<> task = test.loop.create_task(asks(&other.loop, &seen));
    test.settle();
    CHECK(seen == AnyTask(task));
    CHECK_FALSE(current_task(test.loop).has_value());
  }

  // CPython: test_tasks.py test_current_task_with_interleaving_tasks
  TEST_CASE("current_task: is right again after each of two tasks has waited for the other") {
    TestLoop test;
    const Future<> one(test.loop);
    const Future<> two(test.loop);
    std::vector<AnyTask> seen;
    const Task<> a = test.loop.create_task(notes_itself(one, two, &seen));
    const Task<> b = test.loop.create_task(notes_itself(two, one, &seen));
    test.settle();
    REQUIRE(a.done());
    REQUIRE(b.done());
    CHECK(seen == std::vector<AnyTask>{a, b, b, a});
  }

  // CPython: test_tasks.py test_current_task_no_running_loop
  TEST_CASE("current_task: of a loop that does not run there is none") {
    TestLoop test;
    test.loop.create_task(weir::sleep(0s));
    CHECK_FALSE(current_task(test.loop).has_value());
    test.settle();
  }

  // CPython: test_tasks.py test_current_task_no_running_loop_implicit
  TEST_CASE("current_task, all_tasks: without a loop they say that none is running") {
    CHECK_THROWS_WITH_AS(current_task(), "no running event loop", RuntimeError);
    CHECK_THROWS_WITH_AS(all_tasks(), "no running event loop", RuntimeError);
  }

  TEST_CASE("current_task: inside a plain callback there is none") {
    TestLoop test;
    bool none = false;
    test.loop.call_soon([&none] { none = !current_task().has_value(); });
    test.pass();
    CHECK(none);
  }

  TEST_CASE("all_tasks: those that are not done, oldest first, of one loop") {
    TestLoop test;
    TestLoop other;
    const Future<> future(test.loop);
    const Task<int> a = test.loop.create_task(waits_for(future));
    const Task<> b = test.loop.create_task(weir::sleep(0s));
    const Task<> elsewhere = other.loop.create_task(weir::sleep(0s));
    CHECK(all_tasks(test.loop) == std::vector<AnyTask>{a, b});
    test.settle();
    CHECK(all_tasks(test.loop) == std::vector<AnyTask>{a});
    future.set_result();
    test.settle();
    CHECK(all_tasks(test.loop).empty());
    other.settle();
  }

  TEST_CASE("all_tasks: the loop's own, when it runs, with the one that asks") {
    TestLoop test;
    const auto counts = []() -> Coro<std::size_t> { co_return all_tasks().size(); };
    test.loop.create_task(weir::sleep(1h));
    CHECK(test.loop.run_until_complete(counts()) == 2);
  }

  TEST_CASE("AnyTask: asks and does what the task itself would") {
    TestLoop test;
    const Task<int> task = test.loop.create_task(waits_for(Future<>(test.loop)), "t");
    const AnyTask any = task;
    CHECK(&any.get_loop() == &test.loop);
    CHECK(any.repr() == task.repr());
    any.set_name("renamed");
    CHECK(task.get_name() == "renamed");
    CHECK(any.get_name() == "renamed");
    test.pass();
    CHECK_FALSE(any.done());
    CHECK(any.cancel("by hand"));
    CHECK(any.cancelling() == 1);
    test.settle();
    CHECK(any.done());
    CHECK(any.cancelled());
    CHECK(weir::test::cancel_message_of([&] { task.result(); }) == "by hand");
  }

  TEST_CASE("AnyTask: two are equal if they name the same task") {
    TestLoop test;
    const Task<> a = test.loop.create_task(weir::sleep(0s));
    const Task<> b = test.loop.create_task(weir::sleep(0s));
    CHECK(AnyTask(a) == AnyTask(a));
    CHECK(AnyTask(a) != AnyTask(b));
    test.settle();
  }

  // CPython: test_tasks.py test_uncancel_structured_blocks
  TEST_CASE("AnyTask: a time limit made by hand leaves no cancellation behind") {
    TestLoop test;
    const Task<Timed> late = test.loop.create_task(limits_by_hand(10s, 100ms));
    const Task<Timed> timely = test.loop.create_task(limits_by_hand(0s, 10s));
    test.pass();
    test.advance(100ms);
    REQUIRE(late.done());
    CHECK(late.result().timed_out);
    CHECK_FALSE(late.result().finished);
    CHECK(late.result().cancelling == 0);
    REQUIRE(timely.done());
    CHECK_FALSE(timely.result().timed_out);
    CHECK(timely.result().finished);
    CHECK(timely.result().cancelling == 0);
  }
}
