// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <concepts>
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

using weir::Coro;
using weir::Future;
using weir::KeyboardInterrupt;
using weir::RuntimeError;
using weir::Task;
using weir::test::Alive;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

Coro<> says(std::string* trace, std::string word) {
  *trace += word;
  co_return;
}

template <class T>
Coro<T> gives(T value) {
  co_return value;
}

Coro<> fails() {
  throw std::out_of_range("far");
  co_return;
}

Coro<> says_when_done(std::string* trace, std::string word, Task<> task) {
  co_await task;
  *trace += word;
}

}  // namespace

TEST_SUITE("reactor/task/task") {
  // CPython: test_tasks.py test_task_basics
  TEST_CASE("task: its first step runs in the next pass, not inside create_task()") {
    TestLoop test;
    std::string trace;
    const Task<> task = test.loop.create_task(says(&trace, "body"));
    CHECK(trace.empty());
    CHECK_FALSE(task.done());
    test.pass();
    CHECK(trace == "body");
    CHECK(task.done());
  }

  TEST_CASE("task: first steps and callbacks run in the order they were scheduled") {
    TestLoop test;
    std::string trace;
    test.loop.call_soon([&] { trace += "a"; });
    test.loop.create_task(says(&trace, "b"));
    test.loop.call_soon([&] { trace += "c"; });
    test.loop.create_task(says(&trace, "d"));
    test.pass();
    CHECK(trace == "abcd");
  }

  TEST_CASE("task: made while a pass runs, it waits for the next one") {
    TestLoop test;
    std::string trace;
    test.loop.call_soon([&] { weir::create_task(says(&trace, "task")); });
    test.pass();
    CHECK(trace.empty());
    test.pass();
    CHECK(trace == "task");
  }

  TEST_CASE("task: done callbacks run in the pass after its completion") {
    TestLoop test;
    std::string trace;
    const Task<> task = test.loop.create_task(says(&trace, "body"));
    task.add_done_callback([&](const Future<>& done) { trace += done.done() ? " done" : " ?"; });
    test.pass();
    CHECK(trace == "body");
    test.pass();
    CHECK(trace == "body done");
  }

  TEST_CASE("task: one that awaits it resumes in the pass after its completion") {
    TestLoop test;
    std::string trace;
    const auto inner = [](std::string* words) -> Coro<> {
      co_await weir::sleep(0s);
      *words += "inner ";
    };
    const Task<> task = test.loop.create_task(inner(&trace));
    const Task<> waiting = test.loop.create_task(says_when_done(&trace, "outer", task));
    test.pass(2);
    CHECK(trace == "inner ");
    test.pass();
    CHECK(trace == "inner outer");
  }

  TEST_CASE("task: it carries a result of any kind, and an exception") {
    TestLoop test;
    const Task<int> number = test.loop.create_task(gives(7));
    const Task<std::string> text = test.loop.create_task(gives(std::string(5000, 'x')));
    const Task<std::unique_ptr<int>> owned = test.loop.create_task(gives(std::make_unique<int>(7)));
    const Task<> failed = test.loop.create_task(fails());
    test.settle();
    CHECK(number.result() == 7);
    CHECK(text.result().size() == 5000);
    CHECK(*owned.result() == 7);
    CHECK_THROWS_WITH_AS(failed.result(), "far", std::out_of_range);
    CHECK_FALSE(failed.cancelled());
  }

  // CPython: test_tasks.py test_task_class, test_future_subclass
  TEST_CASE("task: it is a future, and belongs to the loop that made it") {
    static_assert(std::derived_from<Task<int>, Future<int>>);
    TestLoop test;
    TestLoop other;
    const Task<int> task = test.loop.create_task(gives(7));
    const Future<int> others = other.loop.create_task(gives(8));
    CHECK(&task.get_loop() == &test.loop);
    CHECK(&others.get_loop() == &other.loop);
    test.settle();
    CHECK(task.result() == 7);
    CHECK_FALSE(others.done());
    other.settle();
    CHECK(others.result() == 8);
  }

  // CPython: test_tasks.py test_coroutine_non_gen_function_return_future
  TEST_CASE("task: a future that its coroutine returns is the result, and not awaited") {
    TestLoop test;
    const Future<int> future(test.loop);
    const Task<Future<int>> task = test.loop.create_task(gives(future));
    test.pass();
    REQUIRE(task.done());
    CHECK_FALSE(task.result().done());
    future.set_result(7);
    CHECK(task.result().result() == 7);
  }

  TEST_CASE("task: a result that cannot be moved to the handle fails the task, not the loop") {
    struct Heavy {
      explicit Heavy(int moves) : moves_left(moves) {}
      Heavy(Heavy&& other) : moves_left(other.moves_left - 1) {
        if (moves_left < 0) throw std::out_of_range("too far");
      }
      int moves_left;
    };
    const auto makes = [](int moves) -> Coro<Heavy> { co_return Heavy(moves); };
    for (int moves = 0; moves < 4; ++moves) {
      TestLoop test;
      const Task<Heavy> task = test.loop.create_task(makes(moves));
      test.settle();
      REQUIRE(task.done());
      if (task.exception()) CHECK_THROWS_AS(task.result(), std::out_of_range);
    }
  }

  // CPython: test_tasks.py test_task_set_methods
  TEST_CASE("task: nobody but its coroutine sets its result") {
    TestLoop test;
    const Task<int> task = test.loop.create_task(gives(7));
    CHECK_THROWS_WITH_AS(task.set_result(8), "Task does not support set_result operation",
                         RuntimeError);
    CHECK_THROWS_WITH_AS(task.set_exception(std::out_of_range("far")),
                         "Task does not support set_exception operation", RuntimeError);
    test.settle();
    CHECK_THROWS_WITH_AS(task.set_result(8), "Task does not support set_result operation",
                         RuntimeError);
    CHECK(task.result() == 7);
  }

  // CPython: test_tasks.py test_task_awaits_on_itself
  TEST_CASE("task: it cannot await itself") {
    TestLoop test;
    const auto awaits_slot = [](std::optional<Task<>>* slot) -> Coro<> {
      const Task<> self = **slot;
      co_await self;
    };
    std::optional<Task<>> slot;
    slot = test.loop.create_task(awaits_slot(&slot), "me");
    test.settle();
    CHECK_THROWS_WITH_AS(slot->result(), "Task cannot await on itself: <Task pending name='me'>",
                         RuntimeError);
  }

  // CPython: test_tasks.py test_bare_create_named_task, test_task_repr_autogenerated
  TEST_CASE("name: tasks are numbered as they are made, and can be named") {
    TestLoop test;
    const Task<int> first = test.loop.create_task(gives(1));
    const Task<int> second = test.loop.create_task(gives(2));
    const Task<int> named = test.loop.create_task(gives(3), "third");
    REQUIRE(first.get_name().starts_with("Task-"));
    REQUIRE(second.get_name().starts_with("Task-"));
    CHECK(std::stoi(second.get_name().substr(5)) == std::stoi(first.get_name().substr(5)) + 1);
    CHECK(named.get_name() == "third");
    first.set_name("renamed");
    CHECK(first.get_name() == "renamed");
  }

  TEST_CASE("name: it stays when the task is cancelled, and so does the message") {
    TestLoop test;
    const Task<int> task = test.loop.create_task(gives(1), "named");
    task.cancel("enough");
    task.set_name("renamed");
    test.settle();
    CHECK(task.get_name() == "renamed");
    std::string message;
    try {
      task.result();
    } catch (const weir::CancelledError& cancelled) {
      message = cancelled.message();
    }
    CHECK(message == "enough");
  }

  TEST_CASE("repr: names the task, its state and its exception") {
    TestLoop test;
    const Task<> task = test.loop.create_task(fails(), "worker");
    CHECK(task.repr() == "<Task pending name='worker'>");
    test.settle();
    CHECK(task.repr() == "<Task finished name='worker' exception=std::out_of_range: far>");
    CHECK(task.exception());
  }

  TEST_CASE("handle: dropping it detaches; the loop keeps the task") {
    TestLoop test;
    std::string trace;
    {
      const auto slow = [](std::string* words) -> Coro<> {
        co_await weir::sleep(1s);
        *words += "done";
      };
      test.loop.create_task(slow(&trace));
    }
    test.pass();
    test.advance(1s);
    CHECK(trace == "done");
  }

  TEST_CASE("handle: the task may drop its own last one") {
    TestLoop test;
    std::optional<Task<>> slot;
    std::string trace;
    const auto drops = [](std::optional<Task<>>* own, std::string* words) -> Coro<> {
      own->reset();
      co_await weir::sleep(0s);
      *words += "alive";
    };
    slot = test.loop.create_task(drops(&slot, &trace));
    test.settle();
    CHECK(trace == "alive");
  }

  TEST_CASE("handle: it outlives the loop with the result") {
    std::optional<Task<int>> task;
    {
      TestLoop test;
      task = test.loop.create_task(gives(7));
      test.settle();
    }
    CHECK(task->result() == 7);
    CHECK_FALSE(task->cancel());
    CHECK_THROWS_WITH_AS(task->get_loop(), "Event loop is closed", RuntimeError);
  }

  TEST_CASE("frame: it is gone before anybody hears of the end") {
    const int before = Alive::count;
    TestLoop test;
    int alive = -1;
    const auto holds = [](Alive) -> Coro<> { co_return; };
    const Task<> task = test.loop.create_task(holds(Alive()));
    task.add_done_callback([&](const Future<>&) { alive = Alive::count - before; });
    test.settle();
    CHECK(alive == 0);
  }

  // GCC PR 121961: a frame that was destroyed inside its own await_suspend().
  TEST_CASE("B80: a frame is destroyed when its coroutine has left the stack") {
    struct Witness {
      explicit Witness(int* into) : inside(into) {}
      Witness(Witness&& other) noexcept : inside(std::exchange(other.inside, nullptr)) {}
      ~Witness() {
        if (inside != nullptr) *inside = weir::detail::current_task != nullptr ? 1 : 0;
      }
      int* inside;  // Whether a coroutine was being resumed.
    };
    TestLoop test;
    int inside = -1;
    const auto holds = [](Witness) -> Coro<int> {
      co_await weir::sleep(std::chrono::seconds(0));
      co_return 7;
    };
    const Task<int> task = test.loop.create_task(holds(Witness(&inside)));
    test.settle();
    CHECK(task.result() == 7);
    CHECK(inside == 0);
  }

  TEST_CASE("frame: a coroutine's argument that cancels the task while it goes changes nothing") {
    struct CancelsTask {
      explicit CancelsTask(std::optional<Task<int>>* task) : slot(task) {}
      CancelsTask(CancelsTask&& other) noexcept : slot(std::exchange(other.slot, nullptr)) {}
      ~CancelsTask() {
        if (slot != nullptr) (*slot)->cancel();
      }
      std::optional<Task<int>>* slot;
    };
    const auto holds = [](CancelsTask) -> Coro<int> { co_return 7; };
    TestLoop test;
    std::optional<Task<int>> slot;
    slot = test.loop.create_task(holds(CancelsTask(&slot)));
    test.settle();
    CHECK(slot->result() == 7);
  }

  TEST_CASE("create_task: a future, a sleep and any other awaitable become tasks") {
    TestLoop test;
    const Future<int> future(test.loop);
    const Task<int> from_future = test.loop.create_task(future);
    const Task<> from_sleep = test.loop.create_task(weir::sleep(1s));
    const Task<int> from_task = test.loop.create_task(from_future);
    test.pass();
    future.set_result(7);
    test.advance(1s);
    CHECK(from_future.result() == 7);
    CHECK(from_task.result() == 7);
    CHECK(from_sleep.done());
  }

  TEST_CASE("create_task: a closed loop refuses, and the coroutine is destroyed unrun") {
    const int before = Alive::count;
    TestLoop test;
    test.loop.close();
    std::string trace;
    const auto says_alive = [](std::string* words, Alive) -> Coro<> {
      *words += "body";
      co_return;
    };
    CHECK_THROWS_WITH_AS(test.loop.create_task(says_alive(&trace, Alive())), "Event loop is closed",
                         RuntimeError);
    CHECK(Alive::count == before);
    CHECK(trace.empty());
  }

  TEST_CASE("create_task: without a loop it says that none is running") {
    CHECK_THROWS_WITH_AS(weir::create_task(gives(7)), "no running event loop", RuntimeError);
  }

  // CPython: test_tasks.py test_bare_create_task
  TEST_CASE("create_task: inside a coroutine it uses the running loop") {
    TestLoop test;
    const auto starts_one = []() -> Coro<int> {
      const Task<int> inner = weir::create_task(gives(1));
      CHECK(&inner.get_loop() == &weir::get_running_loop());
      co_return co_await inner;
    };
    const Task<int> task = test.loop.create_task(starts_one());
    test.settle();
    CHECK(task.result() == 1);
  }

  // CPython: test_tasks.py test_baseexception_during_cancel
  TEST_CASE("Ctrl-C: thrown by a task it leaves run_forever, and the task has failed with it") {
    TestLoop test;
    std::string trace;
    const auto interrupts = []() -> Coro<> {
      co_await weir::sleep(0s);
      throw KeyboardInterrupt();
    };
    const Task<> task = test.loop.create_task(interrupts());
    test.pass();
    test.loop.call_soon([&] { trace += "later"; });
    CHECK_THROWS_AS(test.pass(), KeyboardInterrupt);
    CHECK(trace.empty());
    CHECK_THROWS_AS(task.result(), KeyboardInterrupt);
    test.pass();
    CHECK(trace == "later");
  }
}
