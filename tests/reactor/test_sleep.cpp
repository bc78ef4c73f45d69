// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <limits>
#include <string>
#include <vector>

#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/support/task_fixture.hpp>

using weir::Coro;
using weir::Delay;
using weir::FakeKernel;
using weir::RuntimeError;
using weir::Sleep;
using weir::Task;
using weir::ValueError;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

Coro<> sleeps(std::string* trace, Delay delay, char letter) {
  co_await weir::sleep(delay);
  *trace += letter;
}

}  // namespace

TEST_SUITE("reactor/task/sleep") {
  // CPython: test_tasks.py test_sleep
  TEST_CASE("sleep: wakes at its deadline, and not before") {
    TestLoop test;
    std::string trace;
    test.loop.create_task(sleeps(&trace, 100ms, 'a'));
    test.pass();
    test.advance(100ms - 1ns);
    CHECK(trace.empty());
    test.advance(1ns);
    CHECK(trace == "a");
  }

  TEST_CASE("sleep: equal deadlines wake in the order they were made") {
    TestLoop test;
    std::string trace;
    for (const char letter : {'a', 'b', 'c', 'd', 'e'}) {
      test.loop.create_task(sleeps(&trace, 1s, letter));
    }
    test.loop.create_task(sleeps(&trace, 999ms, 'z'));
    test.pass();
    test.advance(1s);
    CHECK(trace == "zabcde");
  }

  TEST_CASE("sleep: zero or less gives up exactly one pass, and arms no timer") {
    TestLoop test;
    std::string trace;
    Delay delay = 0s;
    SUBCASE("zero") { delay = 0s; }
    SUBCASE("negative") { delay = -1h; }
    SUBCASE("the least there is") { delay = std::chrono::hours::min(); }
    test.loop.create_task(sleeps(&trace, delay, 'a'));
    test.pass();
    CHECK(trace.empty());
    CHECK(test.loop.timers().empty());
    test.pass();
    CHECK(trace == "a");
  }

  TEST_CASE("sleep: of no time, others run in between") {
    TestLoop test;
    std::string trace;
    const auto letters = [](std::string* words, char letter) -> Coro<> {
      for (int i = 0; i < 3; ++i) {
        *words += letter;
        co_await weir::sleep(0s);
      }
    };
    test.loop.create_task(letters(&trace, 'a'));
    test.loop.create_task(letters(&trace, 'b'));
    test.settle();
    CHECK(trace == "ababab");
  }

  // CPython: test_tasks.py test_sleep_when_delay_is_nan (3.13)
  TEST_CASE("sleep: not-a-number is refused") {
    const std::chrono::duration<double> nan(std::numeric_limits<double>::quiet_NaN());
    CHECK_THROWS_WITH_AS(static_cast<void>(weir::sleep(nan)), "Invalid delay: NaN (not a number)",
                         ValueError);
  }

  TEST_CASE("sleep: the longest there is never ends, and can be cancelled") {
    TestLoop test;
    std::string trace;
    const Task<> task = test.loop.create_task(sleeps(&trace, std::chrono::hours::max(), 'a'));
    test.pass();
    test.advance(std::chrono::hours(24 * 365 * 100));
    CHECK_FALSE(task.done());
    task.cancel();
    test.settle();
    CHECK(task.cancelled());
  }

  // CPython: test_tasks.py test_sleep_cancel
  TEST_CASE("cancel: takes the timer out at once") {
    TestLoop test;
    std::string trace;
    std::vector<Task<>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(test.loop.create_task(sleeps(&trace, 1h, 'a')));
    test.pass();
    CHECK(test.loop.timers().size() == 100);
    for (const Task<>& task : tasks) task.cancel();
    CHECK(test.loop.timers().empty());
    test.settle();
    for (const Task<>& task : tasks) CHECK(task.cancelled());
    CHECK(trace.empty());
  }

  TEST_CASE("cancel: of a sleep that is due but not resumed throws, once") {
    TestLoop test;
    std::string trace;
    const Task<> task = test.loop.create_task(sleeps(&trace, 1s, 'a'));
    test.pass();
    test.kernel.advance(1s);
    test.loop.call_soon([&] { task.cancel(); });
    test.pass();
    CHECK(task.cancelled());
    CHECK(trace.empty());
    CHECK(test.loop.timers().empty());
  }

  TEST_CASE("closing: a sleep that is left takes its timer with it") {
    TestLoop test;
    std::string trace;
    const Task<> task = test.loop.create_task(sleeps(&trace, 1h, 'a'));
    test.pass();
    test.loop.close();
    CHECK(task.cancelled());
    CHECK(test.loop.timers().empty());
  }

  TEST_CASE("object: kept and copied, each copy is a sleep of its own") {
    TestLoop test;
    const auto twice = []() -> Coro<> {
      const Sleep first = weir::sleep(1s);
      Sleep copy = first;
      co_await copy;
      co_await copy;
    };
    const Task<> task = test.loop.create_task(twice());
    test.pass();
    test.advance(1s);
    CHECK_FALSE(task.done());
    test.advance(1s);
    CHECK(task.done());
  }

  TEST_CASE("object: two tasks cannot await the same one at a time") {
    TestLoop test;
    Sleep shared = weir::sleep(1s);
    const auto awaits = [](Sleep* sleep) -> Coro<> { co_await *sleep; };
    const Task<> first = test.loop.create_task(awaits(&shared));
    const Task<> second = test.loop.create_task(awaits(&shared));
    test.pass();
    CHECK_THROWS_WITH_AS(second.result(), "coroutine is being awaited already", RuntimeError);
    test.advance(1s);
    CHECK(first.done());
    CHECK_NOTHROW(first.result());
  }

  TEST_CASE("sleep: a thousand in a row add up exactly") {
    TestLoop test;
    const auto ticks = []() -> Coro<> {
      for (int i = 0; i < 1000; ++i) co_await weir::sleep(1ms);
    };
    const Task<> task = test.loop.create_task(ticks());
    task.add_done_callback([&](const auto&) { test.loop.stop(); });
    test.loop.run_forever();
    CHECK(test.kernel.now() == FakeKernel::start + 1s);
  }
}
