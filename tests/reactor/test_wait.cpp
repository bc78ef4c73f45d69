// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/wait.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::Future;
using weir::ReturnWhen;
using weir::Task;
using weir::WaitOptions;
using weir::WaitResult;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

using Futures = std::vector<Future<int>>;

/// Three futures, and a task that waits for them.
struct Three {
  explicit Three(TestLoop& test, WaitOptions options = {}) {
    for (int i = 0; i < 3; ++i) futures.emplace_back(test.loop);
    task = test.loop.create_task(weir::wait(futures, options));
    test.pass();
  }
  /// The indices of those that are done, and of those that are pending.
  std::string sorted() const {
    std::string text;
    for (const Future<int>& future : task->result().done) text += name_of(future);
    text += '|';
    for (const Future<int>& future : task->result().pending) text += name_of(future);
    return text;
  }
  char name_of(const Future<int>& future) const {
    for (std::size_t i = 0; i < 3; ++i) {
      if (futures[i] == future) return static_cast<char>('0' + i);
    }
    return '?';
  }

  Futures futures;
  std::optional<Task<WaitResult<Future<int>>>> task;
};

}  // namespace

TEST_SUITE("reactor/task/wait") {
  // CPython: test_tasks.py test_wait, test_wait_with_exception
  TEST_CASE("wait: for all of them, whatever they come to") {
    TestLoop test;
    const Three it(test);
    it.futures[2].set_exception(std::out_of_range("far"));
    it.futures[0].cancel();
    test.settle();
    CHECK_FALSE(it.task->done());
    it.futures[1].set_result(1);
    test.settle();
    CHECK(it.sorted() == "012|");
    CHECK_THROWS_AS(it.futures[2].result(), std::out_of_range);
  }

  // CPython: test_tasks.py test_wait, test_wait_with_exception
  TEST_CASE("wait: for what has ended before, it takes no time") {
    TestLoop test;
    const Three it(test);
    it.futures[0].set_result(0);
    it.futures[1].set_exception(std::out_of_range("far"));
    it.futures[2].cancel();
    test.settle();
    const auto again = test.loop.create_task(weir::wait(it.futures));
    test.settle();
    CHECK(again.result().done == it.futures);
    CHECK(it.futures[1].exception() != nullptr);
  }

  TEST_CASE("wait: the task goes on two passes after the last one's end") {
    TestLoop test;
    const Three it(test);
    for (const Future<int>& future : it.futures) future.set_result(0);
    test.pass();
    CHECK_FALSE(it.task->done());
    test.pass();
    CHECK(it.task->done());
  }

  // CPython: test_tasks.py test_wait_first_completed
  TEST_CASE("first_completed: one end is enough, a cancellation too") {
    TestLoop test;
    const Three it(test, {.return_when = ReturnWhen::first_completed});
    SUBCASE("a result") { it.futures[1].set_result(1); }
    SUBCASE("a cancellation") { it.futures[1].cancel(); }
    test.settle();
    CHECK(it.sorted() == "1|02");
  }

  // CPython: test_tasks.py test_wait_really_done
  TEST_CASE("first_completed: what has ended by the time the task goes on counts as done") {
    TestLoop test;
    const Three it(test, {.return_when = ReturnWhen::first_completed});
    it.futures[1].set_result(1);
    test.pass();
    it.futures[0].set_result(0);
    test.settle();
    CHECK(it.sorted() == "01|2");
  }

  // CPython: test_tasks.py test_wait_first_exception
  TEST_CASE("first_exception: one that has failed before is enough") {
    TestLoop test;
    const Future<int> failed(test.loop);
    const Future<int> goes_on(test.loop);
    failed.set_exception(std::out_of_range("far"));
    const auto task = test.loop.create_task(
        weir::wait(Futures{goes_on, failed}, {.return_when = ReturnWhen::first_exception}));
    test.settle();
    CHECK(task.result().done == Futures{failed});
    CHECK(task.result().pending == Futures{goes_on});
    CHECK(failed.exception() != nullptr);
  }

  TEST_CASE("first_exception: one failure is enough, a cancellation is none") {
    TestLoop test;
    const Three it(test, {.return_when = ReturnWhen::first_exception});
    it.futures[0].cancel();
    it.futures[2].set_result(2);
    test.settle();
    CHECK_FALSE(it.task->done());
    it.futures[1].set_exception(std::out_of_range("far"));
    test.settle();
    CHECK(it.sorted() == "012|");
    CHECK(it.futures[1].exception() != nullptr);
  }

  // CPython: test_tasks.py test_wait_first_exception_in_wait
  TEST_CASE("first_exception: leaves those that go on alone") {
    TestLoop test;
    const Three it(test, {.return_when = ReturnWhen::first_exception});
    it.futures[1].set_exception(std::out_of_range("far"));
    test.settle();
    CHECK(it.sorted() == "1|02");
    CHECK_FALSE(it.futures[0].done());
  }

  TEST_CASE("first_exception: without one it waits for all") {
    TestLoop test;
    const Three it(test, {.return_when = ReturnWhen::first_exception});
    for (const Future<int>& future : it.futures) future.set_result(0);
    test.settle();
    CHECK(it.sorted() == "012|");
  }

  // CPython: test_tasks.py test_wait_with_timeout
  TEST_CASE("timeout: returns what is done, throws nothing and cancels nothing") {
    TestLoop test;
    const Three it(test, {.timeout = 1s});
    it.futures[1].set_result(1);
    test.settle();
    CHECK_FALSE(it.task->done());
    test.advance(1s);
    CHECK(it.sorted() == "1|02");
    CHECK_FALSE(it.futures[0].cancelled());
  }

  TEST_CASE("timeout: zero lets what is done count, and returns") {
    TestLoop test;
    const Three it(test, {.timeout = 0s});
    it.futures[0].set_result(0);
    test.advance(0s);
    CHECK(it.sorted() == "0|12");
  }

  // CPython: test_tasks.py test_wait_concurrent_complete
  TEST_CASE("timeout: what ends at that very time is done, what ends later is pending") {
    TestLoop test;
    const auto sleeps = [](weir::Delay delay) -> Coro<> { co_await weir::sleep(delay); };
    const std::vector<Task<>> tasks{test.loop.create_task(sleeps(1s)),
                                    test.loop.create_task(sleeps(2s))};
    test.settle();
    const auto task = test.loop.create_task(weir::wait(tasks, {.timeout = 1s}));
    test.settle();
    test.advance(1s);
    CHECK(task.result().done == std::vector{tasks[0]});
    CHECK(task.result().pending == std::vector{tasks[1]});
    test.advance(1s);
    CHECK(tasks[1].done());
  }

  TEST_CASE("timeout: in the pass of the last end, everything is done") {
    TestLoop test;
    const Three it(test, {.timeout = 1s});
    for (const Future<int>& future : it.futures) future.set_result(0);
    test.advance(1s);
    CHECK(it.sorted() == "012|");
  }

  TEST_CASE("timeout: in time, no timer stays") {
    TestLoop test;
    const Three it(test, {.timeout = 1s});
    CHECK(test.loop.timers().size() == 1);
    for (const Future<int>& future : it.futures) future.set_result(0);
    test.pass();
    CHECK(test.loop.timers().empty());
  }

  // CPython: test_tasks.py test_wait_duplicate_coroutines
  TEST_CASE("wait: what is given twice is returned once") {
    TestLoop test;
    const Future<int> future(test.loop);
    const auto task = test.loop.create_task(weir::wait(Futures{future, future}));
    future.set_result(1);
    test.settle();
    CHECK(task.result().done.size() == 1);
  }

  // CPython: test_tasks.py test_wait_errors, test_wait_invalid_args
  TEST_CASE("wait: nothing to wait for, and a mode that there is not, are refused") {
    TestLoop test;
    const Future<int> future(test.loop);
    CHECK_THROWS_WITH_AS(static_cast<void>(weir::wait(Futures())), "Set of Tasks/Futures is empty.",
                         weir::ValueError);
    CHECK_THROWS_WITH_AS(
        static_cast<void>(weir::wait(Futures{future}, {.return_when = static_cast<ReturnWhen>(7)})),
        "Invalid return_when value: 7", weir::ValueError);
  }

  // CPython: test_tasks.py test_yield_wait_does_not_shield_cancel
  TEST_CASE("cancel: ends the wait, and leaves the futures alone") {
    TestLoop test;
    const Three it(test, {.timeout = 1s});
    it.task->cancel();
    test.settle();
    CHECK(it.task->cancelled());
    CHECK(test.loop.timers().empty());
    CHECK_FALSE(it.futures[0].done());
    it.futures[0].set_result(1);
    CHECK(test.loop.ready().empty());  // Nobody listens any more.
  }
}
