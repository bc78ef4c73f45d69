// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::Delay;
using weir::Future;
using weir::Task;
using weir::TimeoutError;
using weir::test::Alive;
using weir::test::cancel_message_of;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

Coro<std::string> says(std::string* trace, std::string word, Delay delay) {
  *trace += word;
  co_await weir::sleep(delay);
  co_return word;
}

/// Sleeps for an hour; on cancellation takes `cleanup` to end with `word`.
Coro<std::string> swallows(Delay cleanup, std::string word) {
  bool cancelled = false;
  try {
    co_await weir::sleep(1h);
  } catch (const CancelledError&) {
    cancelled = true;
  }
  if (cancelled) co_await weir::sleep(cleanup);
  co_return word;
}

Coro<std::string> fails_on_cancel() {
  try {
    co_await weir::sleep(1h);
  } catch (const CancelledError&) {
    throw std::out_of_range("cleanup");
  }
  co_return "slept";
}

/// Cancelled while it sleeps, it needs three passes to end so.
Coro<> lingers() {
  bool cancelled = false;
  try {
    co_await weir::sleep(1h);
  } catch (const CancelledError&) {
    cancelled = true;
  }
  for (int i = 0; i < 3; ++i) co_await weir::sleep(0s);
  if (cancelled) throw CancelledError("lingered");
}

/// What awaiting `awaitable` with a time limit comes to; asks for how much cancellation it was left
/// with.
template <class A>
Coro<std::string> tries(A awaitable, std::optional<Delay> timeout,
                        std::optional<Task<std::string>>* self = nullptr) {
  std::string text;
  try {
    if constexpr (std::is_void_v<weir::detail::AwaitResult<A>>) {
      co_await weir::wait_for(std::move(awaitable), timeout);
      text = "void";
    } else {
      text = co_await weir::wait_for(std::move(awaitable), timeout);
    }
  } catch (const TimeoutError& error) {
    text = std::string("time-out") + error.what();
  } catch (const CancelledError& error) {
    text = "cancelled " + error.message();
  } catch (const std::out_of_range& error) {
    text = error.what();
  }
  if (self != nullptr) text += " " + std::to_string((*self)->cancelling());
  co_return text;
}

/// A task that knows itself.
struct SelfAware {
  template <class A>
  SelfAware(TestLoop& test, A awaitable, std::optional<Delay> timeout) {
    task = test.loop.create_task(tries(std::move(awaitable), timeout, &task));
  }
  std::optional<Task<std::string>> task;
};

}  // namespace

TEST_SUITE("reactor/task/wait_for") {
  TEST_CASE("wait_for: in time, it gives the result, and leaves no timer") {
    TestLoop test;
    std::string trace;
    const Task<std::string> task = test.loop.create_task(tries(says(&trace, "x", 1s), 2s));
    test.pass();
    CHECK(test.loop.timers().size() == 2);
    test.advance(1s);
    CHECK(task.result() == "x");
    CHECK(test.loop.timers().empty());
  }

  TEST_CASE("wait_for: what ends without a suspension costs no pass") {
    TestLoop test;
    const auto gives = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
    const auto waits = [](Coro<std::unique_ptr<int>> coro) -> Coro<int> {
      const std::unique_ptr<int> value = co_await weir::wait_for(std::move(coro), 1s);
      co_return *value;
    };
    const Task<int> task = test.loop.create_task(waits(gives()));
    test.pass();
    CHECK(task.result() == 7);
    CHECK(test.loop.timers().empty());
  }

  // CPython: test_waitfor.py test_asyncio_wait_for_timeout
  TEST_CASE("wait_for: too late, the awaitable is cancelled and TimeoutError thrown") {
    const int before = Alive::count;
    TestLoop test;
    const auto sleeps = [](Alive) -> Coro<> { co_await weir::sleep(1h); };
    const SelfAware it(test, sleeps(Alive()), 1s);
    test.pass();
    test.advance(1s - 1ns);
    CHECK_FALSE(it.task->done());
    test.advance(1ns);
    CHECK(it.task->result() == "time-out 0");
    CHECK(Alive::count == before);
    CHECK(test.loop.timers().empty());
  }

  TEST_CASE("wait_for: without a limit it is a plain await") {
    TestLoop test;
    std::string trace;
    const Task<std::string> task =
        test.loop.create_task(tries(says(&trace, "x", 1h), std::nullopt));
    test.pass();
    CHECK(test.loop.timers().size() == 1);
    test.advance(1h);
    CHECK(task.result() == "x");
  }

  TEST_CASE("wait_for: an exception of the awaitable passes through") {
    TestLoop test;
    const auto fails = []() -> Coro<> {
      throw std::out_of_range("far");
      co_return;
    };
    const Task<std::string> task = test.loop.create_task(tries(fails(), 1s));
    test.pass();
    CHECK(task.result() == "far");
    CHECK(test.loop.timers().empty());
  }

  // CPython: test_waitfor.py test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started
  TEST_CASE("no time: anything lazy is never started, and times out at once") {
    TestLoop test;
    std::string trace;
    Delay none = 0s;
    SUBCASE("zero") { none = 0s; }
    SUBCASE("negative") { none = -1s; }
    const SelfAware it(test, says(&trace, "x", 0s), none);
    test.pass();
    CHECK(it.task->result() == "time-out 0");
    CHECK(trace.empty());
  }

  // CPython: test_waitfor.py test_wait_for_timeout_less_then_0_or_0_future_done
  TEST_CASE("no time: a future that is done gives what it has") {
    TestLoop test;
    const Future<std::string> done(test.loop);
    done.set_result("x");
    const Future<std::string> failed(test.loop);
    failed.set_exception(std::out_of_range("far"));
    const Future<std::string> cancelled(test.loop);
    cancelled.cancel("before");
    const Task<std::string> on_done = test.loop.create_task(tries(done, 0s));
    const Task<std::string> on_failed = test.loop.create_task(tries(failed, 0s));
    const Task<std::string> on_cancelled = test.loop.create_task(tries(cancelled, 0s));
    test.pass();
    CHECK(on_done.result() == "x");
    CHECK(on_failed.result() == "far");
    CHECK(on_cancelled.result() == "cancelled before");
  }

  TEST_CASE("no time: a future that is pending is cancelled") {
    TestLoop test;
    const Future<std::string> future(test.loop);
    const SelfAware it(test, future, 0s);
    test.settle();
    CHECK(future.cancelled());
    CHECK(it.task->result() == "time-out 0");
  }

  // CPython: test_waitfor.py test_wait_for_waits_for_task_cancellation_w_timeout_0
  TEST_CASE("no time: a task is cancelled, and waited for") {
    TestLoop test;
    const Task<> inner = test.loop.create_task(lingers());
    test.pass();
    const SelfAware it(test, inner, 0s);
    test.pass(2);
    CHECK_FALSE(inner.done());
    CHECK_FALSE(it.task->done());
    test.settle();
    CHECK(inner.cancelled());
    CHECK(it.task->result() == "time-out 0");
  }

  TEST_CASE("no time: a task that swallows the cancellation gives its value, or its error") {
    TestLoop test;
    const Task<std::string> swallowed = test.loop.create_task(swallows(0s, "kept"));
    const Task<std::string> failed = test.loop.create_task(fails_on_cancel());
    test.pass();
    const SelfAware a(test, swallowed, 0s);
    const SelfAware b(test, failed, 0s);
    test.settle();
    CHECK(a.task->result() == "kept 0");
    CHECK(b.task->result() == "cleanup 0");
  }

  TEST_CASE(
      "no time: cancelled from outside while the task still cleans up, it is a cancellation") {
    TestLoop test;
    const Task<> inner = test.loop.create_task(lingers());
    test.pass();
    const SelfAware it(test, inner, 0s);
    test.pass(2);
    it.task->cancel("outside");
    test.pass(2);
    CHECK(it.task->result() == "cancelled outside 1");
    test.settle();
    CHECK(inner.cancelled());
    CHECK(inner.cancelling() == 1);
  }

  TEST_CASE("no time: cancelled from outside just when the task has ended, it is a cancellation") {
    TestLoop test;
    const Task<> inner = test.loop.create_task(lingers());
    test.pass();
    const SelfAware it(test, inner, 0s);
    test.settle_until([&] { return inner.done(); });
    CHECK_FALSE(it.task->done());
    it.task->cancel("outside");
    test.settle();
    CHECK(it.task->result() == "cancelled outside 1");
  }

  TEST_CASE("one pass: a result that comes just before the time-out is returned") {
    TestLoop test;
    const Future<std::string> future(test.loop);
    const SelfAware it(test, future, 1s);
    test.pass();
    future.set_result("x");
    test.kernel.advance(1s);
    test.pass();
    CHECK(it.task->result() == "x 0");
    CHECK(test.loop.timers().empty());
    CHECK(test.loop.ready().empty());
  }

  TEST_CASE("one pass: a time-out that was due but left behind strikes nothing later") {
    TestLoop test;
    const auto goes_on = [](Future<> future) -> Coro<std::string> {
      co_await weir::wait_for(future, 1s);
      co_await weir::sleep(1h);
      co_return "slept";
    };
    const Future<> future(test.loop);
    const Task<std::string> task = test.loop.create_task(goes_on(future));
    test.pass();
    future.set_result();
    test.kernel.advance(1s);
    test.pass();
    test.settle();
    CHECK(task.cancelling() == 0);
    test.advance(1h);
    CHECK(task.result() == "slept");
  }

  TEST_CASE("one pass: a result that comes just after the time-out is too late") {
    TestLoop test;
    const Task<std::string> inner = test.loop.create_task(swallows(0s, "kept"));
    const Future<std::string> future(test.loop);
    const SelfAware it(test, future, 1s);
    test.pass();
    test.kernel.advance(1s);
    test.pass();  // The time-out strikes; the task resumes in the next pass.
    CHECK(future.cancelled());
    test.settle();
    CHECK(it.task->result() == "time-out 0");
    inner.cancel();
  }

  TEST_CASE("one pass: a sleep of the same length is not in time, for the time-out is older") {
    TestLoop test;
    const SelfAware it(test, weir::sleep(1s), 1s);
    test.pass();
    test.advance(1s);
    CHECK(it.task->result() == "time-out 0");
  }

  // CPython: test_waitfor.py test_cancel_wait_for
  TEST_CASE("outside: cancelled before the time is up, it is a cancellation") {
    TestLoop test;
    const Future<std::string> future(test.loop);
    const SelfAware it(test, future, 1s);
    test.pass();
    it.task->cancel("outside");
    test.settle();
    CHECK(it.task->result() == "cancelled outside 1");
    CHECK(future.cancelled());
    CHECK(test.loop.timers().empty());
  }

  TEST_CASE("outside: cancelled in the pass of the time-out, it is a cancellation") {
    TestLoop test;
    const Future<std::string> future(test.loop);
    const SelfAware it(test, future, 1s);
    test.pass();
    test.kernel.advance(1s);
    SUBCASE("before it") {
      test.loop.call_soon([&] { it.task->cancel("outside"); });
      test.settle();
      CHECK(it.task->result() == "cancelled outside 1");
    }
    SUBCASE("after it") {
      test.loop.call_later(0s, [&] { it.task->cancel("outside"); });
      test.pass();
      test.settle();
      CHECK(it.task->result() == "cancelled  1");  // The time-out, which was first, has no text.
    }
  }

  // CPython: test_waitfor.py test_wait_for_issue86296
  TEST_CASE("outside: cancelled in the pass of the result, the cancellation is not lost") {
    TestLoop test;
    const Future<std::string> future(test.loop);
    const SelfAware it(test, future, 1s);
    test.pass();
    future.set_result("x");
    it.task->cancel("outside");
    test.settle();
    CHECK(it.task->result() == "cancelled outside 1");
  }

  TEST_CASE("outside: a request that was there before does not turn the time-out away") {
    TestLoop test;
    const auto carries_on = [](std::optional<Task<std::string>>* self) -> Coro<std::string> {
      std::string text;
      try {
        co_await weir::sleep(1h);
      } catch (const CancelledError&) {
        text = "first";
      }
      try {
        co_await weir::wait_for(weir::sleep(1h), 1s);
      } catch (const TimeoutError&) {
        text += " time-out " + std::to_string((*self)->cancelling());
      }
      co_return text;
    };
    std::optional<Task<std::string>> task;
    task = test.loop.create_task(carries_on(&task));
    test.pass();
    task->cancel();
    test.settle();
    test.advance(1s);
    CHECK(task->result() == "first time-out 1");
  }

  // CPython: test_waitfor.py test_wait_for_cancel_suppressed
  TEST_CASE("swallowed: a cancellation that the awaitable swallows gives its value") {
    TestLoop test;
    const SelfAware it(test, swallows(5s, "kept"), 1s);
    test.pass();
    test.advance(1s);
    CHECK_FALSE(it.task->done());  // What it does about it is waited for.
    test.advance(5s);
    CHECK(it.task->result() == "kept 0");
  }

  // CPython: test_waitfor.py test_wait_for_reraises_exception_during_cancellation
  TEST_CASE("swallowed: an error of the cleanup passes through") {
    TestLoop test;
    const SelfAware it(test, fails_on_cancel(), 1s);
    test.pass();
    test.advance(1s);
    CHECK(it.task->result() == "cleanup 0");
  }

  TEST_CASE("task: one that is too late is cancelled itself") {
    TestLoop test;
    std::string trace;
    const Task<std::string> inner = test.loop.create_task(says(&trace, "x", 1h));
    const SelfAware it(test, inner, 1s);
    test.pass();
    test.advance(1s);
    CHECK(inner.cancelled());
    CHECK(it.task->result() == "time-out 0");
  }

  // CPython: test_timeouts.py test_nested_timeouts, test_nested_timeouts_loop_busy
  TEST_CASE("nested: only the limit that was passed turns into a time-out") {
    TestLoop test;
    std::string trace;
    Delay inner_limit = 1s;
    Delay outer_limit = 1s;
    std::string expected;
    SUBCASE("the inner") {
      outer_limit = 2s;
      expected = "time-out 0 0";
    }
    SUBCASE("the outer") {
      inner_limit = 2s;
      expected = "time-out 0";
    }
    SUBCASE("both at once: the outer's, which was armed first") { expected = "time-out 0"; }
    std::optional<Task<std::string>> task;
    const auto inner = [](Delay limit,
                          std::optional<Task<std::string>>* self) -> Coro<std::string> {
      std::string text;
      try {
        co_await weir::wait_for(weir::sleep(1h), limit);
      } catch (const TimeoutError&) {
        text = "time-out " + std::to_string((*self)->cancelling());
      }
      co_return text;
    };
    task = test.loop.create_task(tries(inner(inner_limit, &task), outer_limit, &task));
    test.pass();
    test.advance(1s);
    CHECK(task->result() == expected);
    CHECK(test.loop.timers().empty());
  }

  TEST_CASE("closing: a wait that is left takes its timers with it") {
    const int before = Alive::count;
    TestLoop test;
    const auto refuses = [](Alive) -> Coro<> {
      for (;;) {
        try {
          co_await weir::sleep(1h);
        } catch (const CancelledError&) {
        }
      }
    };
    const SelfAware it(test, refuses(Alive()), 1s);
    test.pass();
    test.loop.close();
    CHECK(test.loop.timers().empty());
    CHECK(Alive::count == before);
    CHECK(test.take_reports().size() == 1);
  }

  TEST_CASE("wait_for: never awaited, it goes with what it was given and arms nothing") {
    const int before = Alive::count;
    TestLoop test;
    {
      const auto holds = [](Alive) -> Coro<> { co_return; };
      const Coro<> wait = weir::wait_for(holds(Alive()), 1s);
      CHECK(Alive::count == before + 1);
    }
    CHECK(Alive::count == before);
    CHECK(test.loop.timers().empty());
  }
}
