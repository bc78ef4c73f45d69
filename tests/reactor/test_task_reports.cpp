// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/task/any_task.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/support/foreign_awaitable.hpp>
#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::EventLoop;
using weir::Future;
using weir::RuntimeError;
using weir::Task;
using weir::test::Alive;
using weir::test::ForeignAwaitable;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

Coro<> fails() {
  throw std::out_of_range("far");
  co_return;
}

Coro<> awaits(Future<> future) { co_await future; }

/// Waits for ever, whatever one asks of it.
Coro<> refuses(Alive) {
  for (;;) {
    try {
      co_await weir::sleep(1h);
    } catch (const CancelledError&) {
    }
  }
}

Coro<> awaits_foreign(int levels, Alive alive) {
  if (levels > 0) {
    co_await awaits_foreign(levels - 1, alive);
  } else {
    co_await ForeignAwaitable();
  }
}

Coro<> cancels_itself_and_awaits_foreign() {
  weir::current_task()->cancel();
  co_await ForeignAwaitable();
}

/// Cancels the task when it is destroyed.
struct Cancels {
  explicit Cancels(std::optional<Task<>>* its_task) noexcept : task(its_task) {}
  Cancels(const Cancels&) = delete;
  Cancels& operator=(const Cancels&) = delete;
  ~Cancels() { (*task)->cancel(); }
  std::optional<Task<>>* task;
};
Coro<> awaits_foreign_and_cancels(std::optional<Task<>>* task) {
  const Cancels at_the_end(task);
  co_await ForeignAwaitable();
}

/// Writes its letter when it is destroyed.
struct Leaves {
  Leaves(std::string* words, char its_letter) : trace(words), letter(its_letter) {}
  Leaves(const Leaves&) = delete;
  Leaves& operator=(const Leaves&) = delete;
  ~Leaves() { *trace += letter; }
  std::string* trace;
  char letter;
};

}  // namespace

TEST_SUITE("reactor/task/task_reports") {
  TEST_CASE("B86: nothing can be thrown where a coroutine ends") {
    using Promise = weir::Coro<int>::promise_type;
    using End = decltype(std::declval<Promise&>().final_suspend());
    CHECK(noexcept(std::declval<Promise&>().final_suspend()));
    CHECK(noexcept(std::declval<Promise&>().unhandled_exception()));
    CHECK(noexcept(std::declval<End&>().await_ready()));
    CHECK(noexcept(std::declval<End&>().await_resume()));
    CHECK(noexcept(
        std::declval<End&>().await_suspend(std::declval<std::coroutine_handle<Promise>>())));
  }

  TEST_CASE("B86: a forgotten task that failed is reported once, by name") {
    TestLoop test;
    test.loop.create_task(fails(), "worker");
    test.settle();
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "Task exception was never retrieved");
    CHECK(weir::describe(reports[0].exception) == "std::out_of_range: far");
    CHECK(reports[0].get("future") ==
          "<Task finished name='worker' exception=std::out_of_range: far>");
  }

  TEST_CASE("never retrieved: a failure that another task awaited is that one's to report") {
    TestLoop test;
    {
      const Task<> inner = test.loop.create_task(fails());
      const auto awaits_task = [](Task<> task) -> Coro<> { co_await task; };
      test.loop.create_task(awaits_task(inner), "outer");
      test.settle();
    }
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].get("future").starts_with("<Task finished name='outer'"));
  }

  TEST_CASE("never retrieved: a cancelled task is no failure") {
    TestLoop test;
    const Task<> task = test.loop.create_task(awaits(Future<>(test.loop)));
    test.pass();
    task.cancel();
    test.settle();
    CHECK(task.cancelled());
    CHECK(test.take_reports().empty());
  }

  // CPython: test_tasks.py test_tb_logger_not_called_after_cancel
  TEST_CASE("never retrieved: silent once somebody has tried to cancel the failed task") {
    TestLoop test;
    {
      const Task<> task = test.loop.create_task(fails());
      test.settle();
      CHECK_FALSE(task.cancel());
    }
    CHECK(test.take_reports().empty());
  }

  // CPython: test_tasks.py test_log_destroyed_pending_task
  TEST_CASE("closing: a task that refuses to be cancelled is reported by name, and destroyed") {
    const int before = Alive::count;
    TestLoop test;
    const Task<> task = test.loop.create_task(refuses(Alive()), "stubborn");
    test.pass();
    test.loop.close();
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "Task was destroyed but it is pending!");
    CHECK(reports[0].get("task") == "<Task cancelling name='stubborn'>");
    CHECK(task.cancelled());
    CHECK(Alive::count == before);
  }

  TEST_CASE("closing: a task that never lets go of the loop is stopped all the same") {
    TestLoop test;
    const auto spins = []() -> Coro<> {
      for (;;) {
        try {
          co_await weir::sleep(0s);
        } catch (const CancelledError&) {
        }
      }
    };
    const Task<> task = test.loop.create_task(spins());
    test.pass();
    test.loop.close();
    CHECK(task.cancelled());
    CHECK(test.take_reports().size() == 1);
  }

  TEST_CASE("closing: a task that ends when it is cancelled is not reported") {
    TestLoop test;
    std::string trace;
    const auto cleans_up = [](std::string* words) -> Coro<> {
      bool cancelled = false;
      try {
        co_await weir::sleep(1h);
      } catch (const CancelledError&) {
        cancelled = true;
      }
      for (int i = 0; i < 3; ++i) co_await weir::sleep(0s);
      if (cancelled) *words += "clean";
    };
    const Task<> task = test.loop.create_task(cleans_up(&trace));
    test.pass();
    test.loop.close();
    CHECK(trace == "clean");
    CHECK_FALSE(task.cancelled());
    CHECK(test.take_reports().empty());
  }

  TEST_CASE("closing: a task that has not started goes unrun and unreported") {
    const int before = Alive::count;
    TestLoop test;
    test.loop.create_task(refuses(Alive()));
    test.loop.close();
    CHECK(Alive::count == before);
    CHECK(test.take_reports().empty());
  }

  TEST_CASE("closing: frames are destroyed from the innermost outwards, locals as in unwinding") {
    TestLoop test;
    std::string trace;
    struct Nest {
      static Coro<> inner(std::string* words, Coro<> innermost) {
        const Leaves b(words, 'b');
        const Leaves a(words, 'a');
        co_await std::move(innermost);
      }
      static Coro<> outer(std::string* words, Coro<> innermost) {
        const Leaves d(words, 'd');
        const Leaves c(words, 'c');
        co_await inner(words, std::move(innermost));
      }
    };
    test.loop.create_task(Nest::outer(&trace, refuses(Alive())));
    test.pass();
    test.loop.close();
    CHECK(trace == "abcd");
    CHECK(test.take_reports().size() == 1);
  }

  TEST_CASE("closing: a task's timer is gone before its frames are") {
    struct CountsTimers {
      CountsTimers(EventLoop* its_loop, std::size_t* into) : loop(its_loop), count(into) {}
      CountsTimers(const CountsTimers&) = delete;
      CountsTimers& operator=(const CountsTimers&) = delete;
      ~CountsTimers() { *count = loop->timers().size(); }
      EventLoop* loop;
      std::size_t* count;
    };
    const auto holds = [](EventLoop* loop, std::size_t* count) -> Coro<> {
      const CountsTimers at_the_end(loop, count);
      co_await refuses(Alive());
    };
    TestLoop test;
    std::size_t timers = 99;
    test.loop.create_task(holds(&test.loop, &timers));
    test.pass();
    test.loop.close();
    CHECK(timers == 0);
    CHECK(test.take_reports().size() == 1);
  }

  TEST_CASE("closing: tasks that wait for each other are destroyed, in any order") {
    const int before = Alive::count;
    TestLoop test;
    const auto waits_for = [](Task<> task, Alive) -> Coro<> {
      for (;;) {
        try {
          co_await task;
          break;
        } catch (const CancelledError&) {
          if (task.done()) break;
        }
      }
    };
    const auto holds = [](Future<> future, Alive) -> Coro<> { co_await future; };
    const Task<> first = test.loop.create_task(refuses(Alive()));
    const Task<> second = test.loop.create_task(waits_for(first, Alive()));
    const Task<> third = test.loop.create_task(waits_for(second, Alive()));
    const Task<> other = test.loop.create_task(holds(Future<>(test.loop), Alive()));
    test.pass();
    test.loop.close();
    CHECK(first.cancelled());
    CHECK(second.done());
    CHECK(third.done());
    CHECK(other.cancelled());
    CHECK(Alive::count == before);
    CHECK(test.take_reports().size() == 3);
  }

  TEST_CASE("closing: a frame whose end starts another task leaves nothing behind") {
    const int before = Alive::count;
    struct StartsTask {
      explicit StartsTask(EventLoop* its_loop) : loop(its_loop) {}
      StartsTask(const StartsTask&) = delete;
      StartsTask& operator=(const StartsTask&) = delete;
      ~StartsTask() { loop->create_task(refuses(Alive())); }
      EventLoop* loop;
    };
    const auto holds = [](EventLoop* loop) -> Coro<> {
      const StartsTask at_the_end(loop);
      co_await refuses(Alive());
    };
    TestLoop test;
    test.loop.create_task(holds(&test.loop));
    test.pass();
    test.loop.close();
    CHECK(Alive::count == before);
    CHECK(test.take_reports().size() >= 1);
  }

  TEST_CASE("bad yield: awaiting what is not weir's is reported once; closing ends the task") {
    const int before = Alive::count;
    TestLoop test;
    int levels = 0;
    SUBCASE("in the outermost") { levels = 0; }
    SUBCASE("below it") { levels = 3; }
    SUBCASE("beyond the inline depth") { levels = 40; }
    const Task<> task = test.loop.create_task(awaits_foreign(levels, Alive()), "lost");
    test.settle();
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message ==
          "Task got bad yield: it awaits something that is not weir's, and nothing will wake it");
    CHECK(reports[0].get("task") == "<Task pending name='lost'>");
    test.loop.close();
    CHECK(task.cancelled());
    CHECK(Alive::count == before);
  }

  TEST_CASE("bad yield: such a task cannot hear of a cancellation, and is ended by it") {
    const int before = Alive::count;
    TestLoop test;
    const Task<> task = test.loop.create_task(awaits_foreign(3, Alive()));
    test.settle();
    CHECK(test.take_reports().size() == 1);
    task.cancel();
    CHECK(task.cancel());
    CHECK_FALSE(task.done());
    test.settle();
    CHECK(task.cancelled());
    CHECK(Alive::count == before);
  }

  TEST_CASE("bad yield: a task that has cancelled itself before is ended, too") {
    TestLoop test;
    const Task<> task = test.loop.create_task(cancels_itself_and_awaits_foreign());
    test.settle();
    CHECK(test.take_reports().size() == 1);
    CHECK(task.cancelled());
  }

  TEST_CASE("bad yield: it is told once, whatever is asked of the task then") {
    TestLoop test;
    const Task<> task = test.loop.create_task(awaits_foreign(0, Alive()));
    test.settle();
    task.cancel();
    task.uncancel();
    test.settle();
    CHECK(test.take_reports().size() == 1);
    CHECK_FALSE(task.done());
  }

  TEST_CASE("bad yield: such a task may be cancelled by the end of its own frame, too") {
    TestLoop test;
    std::optional<Task<>> task;
    task = test.loop.create_task(awaits_foreign_and_cancels(&task));
    test.settle();
    CHECK(test.take_reports().size() == 1);
    SUBCASE("cancelled") {
      task->cancel();
      test.settle();
    }
    SUBCASE("closed") { test.loop.close(); }
    CHECK(task->cancelled());
    task.reset();
    CHECK(test.loop.ready().empty());
  }
}
