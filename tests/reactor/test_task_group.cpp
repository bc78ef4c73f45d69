// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/task_group.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::Delay;
using weir::ExceptionGroup;
using weir::RuntimeError;
using weir::Task;
using weir::TaskGroup;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

Coro<int> gives(int value, Delay delay) {
  co_await weir::sleep(delay);
  co_return value;
}

Coro<> fails(std::string text, Delay delay) {
  co_await weir::sleep(delay);
  throw std::out_of_range(text);
}

/// Sleeps for an hour. Counts a cancellation, and throws `text` instead of it if there is one.
Coro<> counts_cancel(int* cancelled, std::string text = {}) {
  try {
    co_await weir::sleep(1h);
  } catch (const CancelledError&) {
    ++*cancelled;
    if (!text.empty()) throw std::out_of_range(text);
    throw;
  }
}

/// What a group came to: its errors, each with its text; "cancelled"; or "ok".
template <class A>
Coro<std::string> outcome_of(A awaitable) {
  std::string text = "ok";
  try {
    co_await std::move(awaitable);
  } catch (const ExceptionGroup& group) {
    text = group.message() + ":";
    for (const std::exception_ptr& error : group.exceptions()) {
      text += " " + weir::message_of(error);
    }
  } catch (const CancelledError&) {
    text = "cancelled";
  }
  co_return text;
}

/// A body that adds these tasks, and then sleeps.
Coro<> adds(TaskGroup group, std::vector<Coro<>> tasks, Delay then) {
  for (Coro<>& task : tasks) group.create_task(std::move(task));
  if (then.value() > 0s) co_await weir::sleep(then);
}

template <class... Coros>
Task<std::string> start(TestLoop& test, TaskGroup group, Delay then, Coros... coros) {
  std::vector<Coro<>> tasks;
  (tasks.push_back(std::move(coros)), ...);
  auto task = test.loop.create_task(outcome_of(group.run(adds(group, std::move(tasks), then))));
  test.settle();
  return task;
}

const std::string errors_are = "unhandled errors in a TaskGroup: ";

}  // namespace

TEST_SUITE("reactor/task/task_group") {
  // CPython: test_taskgroups.py test_taskgroup_01, test_taskgroup_02
  TEST_CASE("run: returns what the body returns, when all tasks are done") {
    TestLoop test;
    const auto body = [](TaskGroup group) -> Coro<int> {
      const Task<int> a = group.create_task(gives(1, 1s));
      const Task<int> b = group.create_task(gives(2, 2s));
      co_return co_await a + 10;
    };
    const TaskGroup group;
    const Task<int> task = test.loop.create_task(group.run(body(group)));
    test.settle();
    test.advance(1s);
    CHECK_FALSE(task.done());
    test.advance(1s);
    CHECK(task.result() == 11);
  }

  // CPython: test_taskgroups.py test_taskgroup_03
  TEST_CASE("run: a task that is merely cancelled is no error") {
    TestLoop test;
    const TaskGroup group;
    const auto body = [](TaskGroup g) -> Coro<> {
      const Task<int> task = g.create_task(gives(1, 1h));
      co_await weir::sleep(0s);
      task.cancel();
    };
    const auto task = test.loop.create_task(outcome_of(group.run(body(group))));
    test.settle();
    CHECK(task.result() == "ok");
  }

  // CPython: test_taskgroups.py test_taskgroup_04, test_cancel_children_on_child_error
  TEST_CASE("error: of a task cancels the other tasks and the body") {
    TestLoop test;
    int cancelled = 0;
    const TaskGroup group;
    const auto body = [](TaskGroup g, int* count) -> Coro<> {
      g.create_task(fails("far", 1s));
      g.create_task(counts_cancel(count));
      co_await counts_cancel(count);
    };
    const auto task = test.loop.create_task(outcome_of(group.run(body(group, &cancelled))));
    test.settle();
    test.advance(1s);
    CHECK(task.result() == errors_are + "far");
    CHECK(cancelled == 2);
    CHECK(task.cancelling() == 0);
  }

  TEST_CASE("error: also when the body is over, and only the tasks are waited for") {
    TestLoop test;
    int cancelled = 0;
    const auto task = start(test, TaskGroup(), 0s, fails("far", 1s), counts_cancel(&cancelled));
    test.advance(1s);
    CHECK(task.result() == errors_are + "far");
    CHECK(cancelled == 1);
    CHECK(task.cancelling() == 0);
  }

  TEST_CASE("error: all of them are in the group, in the order they came") {
    TestLoop test;
    int cancelled = 0;
    const auto task = start(test, TaskGroup(), 0s, counts_cancel(&cancelled, "second"),
                            fails("first", 1s), counts_cancel(&cancelled, "third"));
    test.advance(1s);
    CHECK(task.result() == errors_are + "first second third");
  }

  // CPython: test_taskgroups.py test_taskgroup_09, test_taskgroup_10
  TEST_CASE("error: of the body cancels the tasks, and is in the group") {
    TestLoop test;
    int cancelled = 0;
    Delay delay = 0s;
    SUBCASE("at once") {}
    SUBCASE("later") { delay = 1s; }
    const TaskGroup group;
    const auto body = [](TaskGroup g, int* count, Delay d) -> Coro<> {
      g.create_task(counts_cancel(count));
      co_await weir::sleep(0s);
      co_await fails("body", d);
    };
    const auto task = test.loop.create_task(outcome_of(group.run(body(group, &cancelled, delay))));
    test.settle();
    test.advance(1s);
    CHECK(task.result() == errors_are + "body");
    CHECK(cancelled == 1);
  }

  // CPython: test_taskgroups.py test_taskgroup_19
  TEST_CASE("error: what the body throws when a task's failure cancels it comes last") {
    TestLoop test;
    int cancelled = 0;
    const TaskGroup group;
    const auto body = [](TaskGroup g, int* count) -> Coro<> {
      g.create_task(fails("task", 1s));
      co_await counts_cancel(count, "body");
    };
    const auto task = test.loop.create_task(outcome_of(group.run(body(group, &cancelled))));
    test.settle();
    test.advance(1s);
    CHECK(task.result() == errors_are + "task body");
  }

  // CPython: test_taskgroups.py test_cancellation, test_taskgroup_07, test_taskgroup_22
  TEST_CASE("outside: a cancellation cancels the tasks, waits for them, and comes out") {
    TestLoop test;
    int cancelled = 0;
    Delay then = 0s;
    SUBCASE("while it waits for the tasks") {}
    SUBCASE("in the body") { then = 1h; }
    const auto task =
        start(test, TaskGroup(), then, counts_cancel(&cancelled), counts_cancel(&cancelled));
    task.cancel();
    test.settle();
    CHECK(task.result() == "cancelled");
    CHECK(cancelled == 2);
    CHECK(task.cancelling() == 1);
  }

  // CPython: test_taskgroups.py test_taskgroup_08
  TEST_CASE("outside: failures of the tasks go before the cancellation, which is not lost") {
    TestLoop test;
    int cancelled = 0;
    const TaskGroup group;
    const auto goes_on = [](TaskGroup g, int* count, std::string* trace) -> Coro<> {
      std::vector<Coro<>> tasks;
      tasks.push_back(counts_cancel(count, "far"));
      *trace = co_await outcome_of(g.run(adds(g, std::move(tasks), 0s)));
      co_await weir::sleep(0s);
      *trace += " and on";
    };
    std::string trace;
    const Task<> task = test.loop.create_task(goes_on(group, &cancelled, &trace));
    test.settle();
    task.cancel();
    test.settle();
    CHECK(trace == errors_are + "far");  // The next await was cancelled, as since CPython 3.13.
    CHECK(task.cancelled());
    CHECK(task.cancelling() == 1);
  }

  // CPython: test_taskgroups.py test_taskgroup_15
  TEST_CASE(
      "outside: cancelled while a failure already winds the group up, the failure comes out") {
    TestLoop test;
    const auto lingers = []() -> Coro<> {
      bool cancelled = false;
      try {
        co_await weir::sleep(1h);
      } catch (const CancelledError&) {
        cancelled = true;
      }
      if (cancelled) co_await weir::sleep(1s);
    };
    const auto task = start(test, TaskGroup(), 0s, fails("far", 1s), lingers());
    test.advance(1s);
    CHECK_FALSE(task.done());
    task.cancel();
    test.settle();
    CHECK_FALSE(task.done());  // The tasks are waited for all the same.
    test.advance(1s);
    CHECK(task.done());
    CHECK(
        task.cancelled());  // It returned without another await: that is cancelled, as in asyncio.
  }

  // CPython: test_taskgroups.py test_taskgroup_17, test_taskgroup_18
  TEST_CASE("outside: a body that throws something else in its place is an error") {
    TestLoop test;
    int cancelled = 0;
    const TaskGroup group;
    std::string trace;
    const auto holds = [](TaskGroup g, int* count, std::string* said) -> Coro<> {
      *said = co_await outcome_of(g.run(counts_cancel(count, "mine")));
    };
    const Task<> task = test.loop.create_task(holds(group, &cancelled, &trace));
    test.settle();
    task.cancel();
    test.settle();
    CHECK(trace == errors_are + "mine");
  }

  // CPython: test_taskgroups.py test_taskgroup_11, test_taskgroup_14
  TEST_CASE("nested: the inner group's errors are one error of the outer group") {
    TestLoop test;
    const TaskGroup outer;
    const TaskGroup inner;
    std::vector<Coro<>> tasks;
    tasks.push_back(fails("far", 1s));
    const auto task =
        test.loop.create_task(outcome_of(outer.run(inner.run(adds(inner, std::move(tasks), 0s)))));
    test.settle();
    test.advance(1s);
    CHECK(task.result() == errors_are + "unhandled errors in a TaskGroup (1 sub-exception)");
  }

  // CPython: test_taskgroups.py test_taskgroup_13
  TEST_CASE("nested: an error of the outer group cancels the inner one, and is told once") {
    TestLoop test;
    int cancelled = 0;
    const TaskGroup outer;
    const auto body = [](TaskGroup g, int* count) -> Coro<> {
      g.create_task(fails("far", 1s));
      const TaskGroup inner;
      std::vector<Coro<>> tasks;
      tasks.push_back(counts_cancel(count));
      co_await inner.run(adds(inner, std::move(tasks), 0s));
    };
    const auto task = test.loop.create_task(outcome_of(outer.run(body(outer, &cancelled))));
    test.settle();
    test.advance(1s);
    CHECK(task.result() == errors_are + "far");
    CHECK(cancelled == 1);
    CHECK(task.cancelling() == 0);
  }

  // CPython: test_taskgroups.py test_taskgroup_20
  TEST_CASE("interrupt: a KeyboardInterrupt of the body goes before all errors") {
    TestLoop test;
    const auto interrupts = []() -> Coro<> {
      try {
        co_await weir::sleep(1h);
      } catch (const CancelledError&) {
        throw weir::KeyboardInterrupt();
      }
    };
    const TaskGroup group;
    const auto body = [](TaskGroup g, Coro<> rest) -> Coro<> {
      g.create_task(fails("far", 1s));
      co_await std::move(rest);
    };
    const auto catches = [](Coro<> all) -> Coro<std::string> {
      std::string text = "none";
      try {
        co_await std::move(all);
      } catch (const weir::KeyboardInterrupt&) {
        text = "interrupt";
      }
      co_return text;
    };
    const auto task = test.loop.create_task(catches(group.run(body(group, interrupts()))));
    test.settle();
    test.advance(1s);
    CHECK(task.result() == "interrupt");
  }

  // CPython: test_taskgroups.py test_taskgroup_23
  TEST_CASE("create_task: tasks that are done are forgotten") {
    TestLoop test;
    const TaskGroup group;
    const auto body = [](TaskGroup g) -> Coro<std::string> {
      g.create_task(gives(1, 0s));
      const std::string before = g.repr();
      co_await weir::sleep(1s);
      co_return before + g.repr();
    };
    const Task<std::string> task = test.loop.create_task(group.run(body(group)));
    test.settle();
    test.advance(1s);
    CHECK(task.result() == "<TaskGroup tasks=1 entered><TaskGroup entered>");
  }

  // CPython: test_taskgroups.py test_taskgroup_24
  TEST_CASE("create_task: a task may add others while the group waits") {
    TestLoop test;
    const auto root = [](TaskGroup g) -> Coro<> {
      co_await weir::sleep(1s);
      g.create_task(gives(1, 1s));
    };
    const TaskGroup group;
    const auto task = start(test, group, 0s, root(group));
    test.advance(1s);
    CHECK_FALSE(task.done());
    test.advance(1s);
    CHECK(task.result() == "ok");
  }

  // CPython: test_taskgroups.py test_taskgroup_no_create_task_after_failure
  TEST_CASE("create_task: refused while a failure winds the group up") {
    TestLoop test;
    std::string trace;
    const auto adds_late = [](TaskGroup g, std::string* said) -> Coro<> {
      try {
        co_await weir::sleep(1h);
      } catch (const CancelledError&) {
        try {
          g.create_task(gives(1, 0s));
        } catch (const RuntimeError& error) {
          *said = error.what();
        }
      }
    };
    const TaskGroup group;
    const auto task = start(test, group, 0s, fails("far", 1s), adds_late(group, &trace));
    test.advance(1s);
    CHECK(task.done());
    CHECK(trace == "TaskGroup <TaskGroup tasks=1 errors=1 cancelling> is shutting down");
  }

  TEST_CASE("create_task: refused before run() and after it") {
    TestLoop test;
    const TaskGroup group;
    CHECK_THROWS_WITH_AS(group.create_task(gives(1, 0s)),
                         "TaskGroup <TaskGroup> has not been entered", RuntimeError);
    const auto task = start(test, group, 0s);
    CHECK(task.result() == "ok");
    CHECK_THROWS_WITH_AS(group.create_task(gives(1, 0s)),
                         "TaskGroup <TaskGroup entered> is finished", RuntimeError);
  }

  TEST_CASE("run: a group is entered once") {
    TestLoop test;
    const TaskGroup group;
    CHECK(start(test, group, 0s).result() == "ok");
    CHECK_THROWS_WITH_AS(test.loop.run_until_complete(group.run(gives(1, 0s))),
                         "TaskGroup <TaskGroup entered> has already been entered", RuntimeError);
  }

  // CPython: test_taskgroups.py test_taskgroup_task_name
  TEST_CASE("create_task: gives the task a name") {
    TestLoop test;
    const TaskGroup group;
    const auto body = [](TaskGroup g) -> Coro<std::string> {
      co_return g.create_task(gives(1, 0s), "yolo").get_name();
    };
    CHECK(test.loop.run_until_complete(group.run(body(group))) == "yolo");
  }

  // CPython: test_taskgroups.py test_taskgroup_context_manager_exit_raises
  TEST_CASE("error: a task's failure and the body's leave no cancellation behind") {
    TestLoop test;
    int cancelled = 0;
    std::optional<Task<std::string>> task;
    const TaskGroup group;
    const auto body = [](TaskGroup g, int* count) -> Coro<> {
      g.create_task(fails("task", 0s));
      co_await counts_cancel(count, "body");
    };
    task = test.loop.create_task(outcome_of(group.run(body(group, &cancelled))));
    test.settle();
    CHECK(task->result() == errors_are + "task body");
    CHECK(task->cancelling() == 0);
  }
}
