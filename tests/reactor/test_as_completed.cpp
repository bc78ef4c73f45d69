// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/as_completed.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>

#include <tests/support/task_fixture.hpp>

using weir::as_completed;
using weir::AsCompleted;
using weir::AsCompletedOptions;
using weir::Coro;
using weir::Future;
using weir::Task;
using weir::TimeoutError;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

Coro<std::string> says(std::string word, weir::Delay delay) {
  co_await weir::sleep(delay);
  co_return word;
}

std::vector<Coro<std::string>> three() {
  std::vector<Coro<std::string>> coros;
  coros.push_back(says("c", 3s));
  coros.push_back(says("a", 1s));
  coros.push_back(says("b", 2s));
  return coros;
}

/// Runs them, and writes down who ends, in that order.
Coro<> notes(std::string* trace, AsCompletedOptions options) {
  AsCompleted results = as_completed(three(), options);
  for (Coro<std::string> each : results) {
    try {
      *trace += co_await std::move(each);
    } catch (const TimeoutError&) {
      *trace += "!";
    }
  }
}

Coro<> notes_handles(std::string* trace) {
  AsCompleted results = as_completed(three());
  while (auto task = co_await results.next()) *trace += task->result();
}

}  // namespace

TEST_SUITE("reactor/task/as_completed") {
  // CPython: test_tasks.py test_as_completed
  TEST_CASE("iteration: results come in the order of their ends") {
    TestLoop test;
    std::string trace;
    const Task<> task = test.loop.create_task(notes(&trace, {}));
    test.settle();
    for (int i = 0; i < 3; ++i) test.advance(1s);
    CHECK(trace == "abc");
    CHECK(task.done());
  }

  TEST_CASE("next: hands out the tasks themselves, then nothing") {
    TestLoop test;
    std::string trace;
    const Task<> task = test.loop.create_task(notes_handles(&trace));
    test.settle();
    for (int i = 0; i < 3; ++i) test.advance(1s);
    CHECK(trace == "abc");
    CHECK(task.done());
  }

  // CPython: test_tasks.py test_as_completed_with_timeout
  TEST_CASE("timeout: what has not ended throws, and is not cancelled") {
    TestLoop test;
    std::string trace;
    const Task<> task = test.loop.create_task(notes(&trace, {.timeout = 1500ms}));
    test.settle();
    test.advance(1s);
    test.advance(500ms);
    CHECK(trace == "a!!");
    CHECK(task.done());
    CHECK(test.loop.timers().size() == 2);  // The other two sleep on.
    test.advance(2s);
  }

  TEST_CASE("timeout: what ended in time is handed out after it, too") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    AsCompleted results = as_completed(std::vector{a, b}, {.timeout = 1s});
    a.set_result(1);
    test.advance(1s);
    CHECK(test.loop.run_until_complete(*results.begin()) == 1);
    CHECK_THROWS_AS(test.loop.run_until_complete(*results.begin()), TimeoutError);
    CHECK_FALSE(b.done());
  }

  // CPython: test_tasks.py test_as_completed_with_unused_timeout
  TEST_CASE("timeout: unused, it leaves no timer") {
    TestLoop test;
    const Future<int> a(test.loop);
    AsCompleted results = as_completed(std::vector{a}, {.timeout = 1s});
    a.set_result(1);
    test.pass();
    CHECK(test.loop.timers().empty());
    CHECK(test.loop.run_until_complete(*results.begin()) == 1);
  }

  // CPython: test_tasks.py test_as_completed_reverse_wait
  TEST_CASE("iteration: who awaits first gets what ends first, whichever awaitable it is") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    AsCompleted results = as_completed(std::vector{a, b});
    auto at = results.begin();
    Coro<int> first = *at;
    Coro<int> second = *++at;
    b.set_result(2);
    CHECK(test.loop.run_until_complete(std::move(second)) == 2);
    a.set_result(1);
    CHECK(test.loop.run_until_complete(std::move(first)) == 1);
  }

  // CPython: test_tasks.py test_as_completed_concurrent
  TEST_CASE("iteration: several may wait at a time, and are served in turn") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    AsCompleted results = as_completed(std::vector{a, b});
    const Task<int> x = test.loop.create_task(*results.begin());
    const Task<int> y = test.loop.create_task(*results.begin());
    test.pass();
    b.set_result(2);
    a.set_result(1);
    test.settle();
    CHECK(x.result() == 2);
    CHECK(y.result() == 1);
  }

  TEST_CASE("cancel: a wait that was woken hands its turn on") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    AsCompleted results = as_completed(std::vector{a, b});
    const Task<int> x = test.loop.create_task(*results.begin());
    const Task<int> y = test.loop.create_task(*results.begin());
    test.pass();
    a.set_result(1);
    test.pass();  // x is woken.
    x.cancel();
    test.settle();
    CHECK(x.cancelled());
    CHECK(y.result() == 1);
    b.cancel();
  }

  // CPython: test_tasks.py test_as_completed_duplicate_coroutines
  TEST_CASE("cancel: a wait that ends in the pass of a result leaves it to the other") {
    TestLoop test;
    const std::vector<Future<int>> futures{Future<int>(test.loop), Future<int>(test.loop)};
    AsCompleted results = as_completed(futures);
    const Task<std::optional<Future<int>>> first = test.loop.create_task(results.next());
    const Task<std::optional<Future<int>>> second = test.loop.create_task(results.next());
    test.settle();
    futures[0].set_result(0);  // Heard of before the first one's wait is unwound.
    first.cancel();
    test.settle();
    CHECK(first.cancelled());
    CHECK(second.result() == futures[0]);
  }

  TEST_CASE("cancel: of next() leaves its turn to the next call") {
    TestLoop test;
    const std::vector<Future<int>> futures{Future<int>(test.loop), Future<int>(test.loop)};
    AsCompleted results = as_completed(futures);
    const Task<std::optional<Future<int>>> first = test.loop.create_task(results.next());
    test.settle();
    first.cancel();
    test.settle();
    futures[0].set_result(0);
    futures[1].set_result(1);
    test.settle();
    CHECK(test.loop.run_until_complete(results.next()) == futures[0]);
    CHECK(test.loop.run_until_complete(results.next()) == futures[1]);
    CHECK(test.loop.run_until_complete(results.next()) == std::nullopt);
  }

  TEST_CASE("iteration: a future that is given twice is handed out once") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    AsCompleted results = as_completed(std::vector{a, a, b});
    CHECK(results.size() == 2);
    a.set_result(1);
    b.set_result(2);
    CHECK(test.loop.run_until_complete(*results.begin()) == 1);
    CHECK(test.loop.run_until_complete(*results.begin()) == 2);
  }

  TEST_CASE("iteration: what next() has handed out is not handed out again") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    AsCompleted results = as_completed(std::vector{a, b});
    a.set_result(1);
    b.set_result(2);
    CHECK(test.loop.run_until_complete(*results.begin()) == 1);
    CHECK(test.loop.run_until_complete(results.next())->result() == 2);
    CHECK_FALSE(test.loop.run_until_complete(results.next()));
    CHECK_THROWS_WITH_AS((void)*results.begin(), "every result was handed out", weir::RuntimeError);
  }

  TEST_CASE("iteration: an exception comes out of the awaitable") {
    TestLoop test;
    const Future<int> a(test.loop);
    AsCompleted results = as_completed(std::vector{a});
    a.set_exception(std::out_of_range("far"));
    CHECK_THROWS_WITH_AS(test.loop.run_until_complete(*results.begin()), "far", std::out_of_range);
  }

  // CPython: test_tasks.py test_as_completed_coroutine_use_running_loop
  TEST_CASE("as_completed: coroutines become tasks of the running loop") {
    TestLoop test;
    const auto loop_of_next = []() -> Coro<weir::EventLoop*> {
      std::vector<Coro<std::string>> coros;
      coros.push_back(says("a", 0s));
      AsCompleted results = as_completed(std::move(coros));
      const std::optional<Task<std::string>> task = co_await results.next();
      CHECK(task->result() == "a");
      co_return &task->get_loop();
    };
    CHECK(test.loop.run_until_complete(loop_of_next()) == &test.loop);
  }

  // CPython: test_tasks.py test_as_completed_coroutine_without_loop
  TEST_CASE("as_completed: coroutines need a running loop") {
    CHECK_THROWS_WITH_AS(static_cast<void>(as_completed(three())), "no running event loop",
                         weir::RuntimeError);
  }
}
