// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/timeout_scope.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::Delay;
using weir::Future;
using weir::RuntimeError;
using weir::Task;
using weir::Timeout;
using weir::timeout_at;
using weir::TimeoutError;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

Coro<std::string> sleeps(Delay delay) {
  co_await weir::sleep(delay);
  co_return "slept";
}

Coro<std::string> swallows() {
  try {
    co_await weir::sleep(1h);
  } catch (const CancelledError&) {
  }
  co_return "swallowed";
}

Coro<std::string> fails_on_cancel() {
  try {
    co_await weir::sleep(1h);
  } catch (const CancelledError&) {
    throw std::out_of_range("cleanup");
  }
  co_return "slept";
}

using Self = std::optional<Task<std::string>>;

/// What running `body` under `limit` comes to, and how much cancellation is left.
Coro<std::string> tries(Timeout limit, Coro<std::string> body, Self* self) {
  std::string text;
  try {
    text = co_await limit.run(std::move(body));
  } catch (const TimeoutError&) {
    text = "time-out";
  } catch (const CancelledError& error) {
    text = "cancelled" + error.message();
  } catch (const std::out_of_range& error) {
    text = error.what();
  }
  co_return text + " " + std::to_string((*self)->cancelling());
}

/// A task that runs a body under a limit, one second from now unless said otherwise.
struct Limited {
  Limited(TestLoop& test, Coro<std::string> body, Delay delay = 1s)
      : limit(timeout_at(test.loop.time() + delay.value())) {
    task = test.loop.create_task(tries(limit, std::move(body), &task));
    test.pass();
  }
  Timeout limit;
  Self task;
};

}  // namespace

TEST_SUITE("reactor/task/timeout_scope") {
  // CPython: test_timeouts.py test_timeout_at_basic, test_waiter_cancelled
  TEST_CASE("run: past the deadline the body is cancelled, and that is a TimeoutError") {
    TestLoop test;
    const Limited it(test, sleeps(1h));
    test.advance(1s - 1ns);
    CHECK_FALSE(it.limit.expired());
    test.advance(1ns);
    CHECK(it.task->result() == "time-out 0");
    CHECK(it.limit.expired());
    CHECK(it.limit.when() == test.loop.time());
  }

  // CPython: test_timeouts.py test_timeout_not_called
  TEST_CASE("run: in time it gives the result, and leaves no timer") {
    TestLoop test;
    const Limited it(test, sleeps(0s));
    test.settle();
    CHECK(it.task->result() == "slept 0");
    CHECK_FALSE(it.limit.expired());
    CHECK(test.loop.timers().empty());
  }

  // CPython: test_timeouts.py test_timeout_basic
  TEST_CASE("timeout: counts from the call, on the running loop") {
    TestLoop test;
    const auto waits = [](Coro<std::string> body) -> Coro<bool> {
      const Timeout limit = weir::timeout(1s);
      bool timed_out = false;
      try {
        co_await limit.run(std::move(body));
      } catch (const TimeoutError&) {
        timed_out = true;
      }
      co_return timed_out;
    };
    const Task<bool> task = test.loop.create_task(waits(sleeps(1h)));
    test.settle();
    test.advance(1s);
    CHECK(task.result());
    CHECK_THROWS_WITH_AS(static_cast<void>(weir::timeout(1s)), "no running event loop",
                         RuntimeError);
  }

  TEST_CASE("timeout: with an awaitable it is the scope in one call, whatever it returns") {
    TestLoop test;
    const auto owns = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
    const auto nothing = []() -> Coro<> { co_await weir::sleep(1h); };
    const auto waits = [](Coro<std::unique_ptr<int>> body, Coro<> rest) -> Coro<int> {
      const std::unique_ptr<int> value = co_await weir::timeout(1s, std::move(body));
      try {
        co_await weir::timeout(1s, std::move(rest));
      } catch (const TimeoutError&) {
        co_return *value;
      }
      co_return 0;
    };
    const Task<int> task = test.loop.create_task(waits(owns(), nothing()));
    test.settle();
    test.advance(1s);
    CHECK(task.result() == 7);
  }

  // CPython: test_timeouts.py test_timeout_disabled, test_timeout_at_disabled
  TEST_CASE("timeout: without a deadline there is no timer") {
    TestLoop test;
    const auto waits = [](Coro<std::string> body) -> Coro<std::string> {
      co_return co_await weir::timeout(std::nullopt, std::move(body));
    };
    const Task<std::string> task = test.loop.create_task(waits(sleeps(1h)));
    test.settle();
    CHECK(test.loop.timers().size() == 1);
    test.advance(1h);
    CHECK(task.result() == "slept");
    CHECK_FALSE(timeout_at(std::nullopt).when());
  }

  // CPython: test_timeouts.py test_timeout_zero_sleep_zero, test_timeout_in_the_past_sleep_zero
  TEST_CASE("no time: the body starts, and is cancelled where it first suspends") {
    TestLoop test;
    Delay none = 0s;
    SUBCASE("zero") { none = 0s; }
    SUBCASE("the past") { none = -11s; }
    std::string trace;
    const auto body = [](std::string* said) -> Coro<std::string> {
      *said = "started";
      co_await weir::sleep(0s);
      co_return "over";
    };
    const Limited it(test, body(&trace), none);
    CHECK(trace == "started");
    test.settle();
    CHECK(it.task->result() == "time-out 0");
  }

  TEST_CASE("no time: a body that never suspends is in time") {
    TestLoop test;
    const auto body = []() -> Coro<std::string> { co_return "over"; };
    const Limited it(test, body(), -1s);
    CHECK(it.task->result() == "over 0");
    test.settle();
    CHECK_FALSE(it.limit.expired());
    CHECK(it.task->cancelling() == 0);
  }

  TEST_CASE(
      "swallowed: a body that swallows the cancellation gives its value, expired all the same") {
    TestLoop test;
    const Limited it(test, swallows());
    test.advance(1s);
    CHECK(it.task->result() == "swallowed 0");
    CHECK(it.limit.expired());
  }

  // CPython: test_timeouts.py test_foreign_exception_on_timeout, test_foreign_exception_passed
  TEST_CASE("swallowed: another exception of the body passes through") {
    TestLoop test;
    const Limited it(test, fails_on_cancel());
    test.advance(1s);
    CHECK(it.task->result() == "cleanup 0");
  }

  // CPython: test_timeouts.py test_foreign_cancel_doesnt_timeout_if_not_expired
  TEST_CASE("outside: a cancellation before the deadline stays one") {
    TestLoop test;
    const Limited it(test, sleeps(1h));
    it.task->cancel(" by hand");
    test.settle();
    CHECK(it.task->result() == "cancelled by hand 1");
    CHECK_FALSE(it.limit.expired());
  }

  TEST_CASE("outside: a cancellation besides the deadline wins") {
    TestLoop test;
    const Limited it(test, sleeps(1h));
    test.kernel.advance(1s);
    test.loop.call_soon([&] { it.task->cancel(" by hand"); });
    test.settle();
    CHECK(it.task->result() == "cancelled by hand 1");
  }

  // CPython: test_timeouts.py test_nested_timeouts
  TEST_CASE("nested: at the same deadline the outer one alone becomes a TimeoutError") {
    TestLoop test;
    const auto when = test.loop.time() + 1s;
    const Timeout outer = timeout_at(when);
    const Timeout inner = timeout_at(when);
    Self task;
    task = test.loop.create_task(tries(outer, inner.run(sleeps(1h)), &task));
    test.pass();
    test.advance(1s);
    CHECK(task->result() == "time-out 0");
    CHECK(outer.expired());
  }

  // CPython: test_timeouts.py test_nested_timeout_in_finally, test_nested_timeouts_concurrent
  TEST_CASE("nested: after the inner one has struck, the outer one still can") {
    TestLoop test;
    const auto body = []() -> Coro<std::string> {
      std::string text;
      try {
        co_await weir::timeout(1s, sleeps(1h));
      } catch (const TimeoutError&) {
        text = "inner";
      }
      co_await weir::sleep(1h);
      co_return text;
    };
    const Limited it(test, body(), 2s);
    test.advance(1s);
    CHECK_FALSE(it.task->done());
    test.advance(1s);
    CHECK(it.task->result() == "time-out 0");
  }

  // CPython: test_timeouts.py test_reschedule
  TEST_CASE("reschedule: moves the deadline, or takes it away") {
    TestLoop test;
    const Limited it(test, sleeps(1h));
    const auto later = test.loop.time() + 20s;
    it.limit.reschedule(later);
    CHECK(it.limit.when() == later);
    test.advance(10s);
    CHECK_FALSE(it.task->done());
    it.limit.reschedule(std::nullopt);
    CHECK_FALSE(it.limit.when());
    test.advance(30s);
    CHECK_FALSE(it.task->done());
    it.limit.reschedule(test.loop.time());
    test.settle();
    CHECK(it.task->result() == "time-out 0");
  }

  TEST_CASE("reschedule: in the pass of the deadline, before it strikes, is in time") {
    TestLoop test;
    const Limited it(test, sleeps(1h));
    test.kernel.advance(10s);
    // Runs before the deadline, which is queued behind it by then.
    test.loop.call_soon([&] { it.limit.reschedule(test.loop.time() + 10s); });
    test.pass();
    CHECK_FALSE(it.limit.expired());
    test.advance(10s);
    CHECK(it.limit.expired());
    CHECK(it.task->result() == "time-out 0");
  }

  TEST_CASE("reschedule: only while the scope is active") {
    TestLoop test;
    const Timeout fresh = timeout_at(test.loop.time());
    CHECK_THROWS_WITH_AS(fresh.reschedule(std::nullopt), "Timeout has not been entered",
                         RuntimeError);
    const Limited expired(test, sleeps(1h));
    const Limited finished(test, sleeps(0s));
    test.advance(1s);
    CHECK_THROWS_WITH_AS(expired.limit.reschedule(std::nullopt),
                         "Cannot change state of expired Timeout", RuntimeError);
    CHECK_THROWS_WITH_AS(finished.limit.reschedule(std::nullopt),
                         "Cannot change state of finished Timeout", RuntimeError);
    const Limited expiring(test, sleeps(1h));
    test.kernel.advance(1s);
    test.pass();
    CHECK_THROWS_WITH_AS(expiring.limit.reschedule(std::nullopt),
                         "Cannot change state of expiring Timeout", RuntimeError);
    test.settle();
  }

  TEST_CASE("run: a scope is entered once") {
    TestLoop test;
    const Limited it(test, sleeps(0s));
    test.settle();
    CHECK_THROWS_WITH_AS(test.loop.run_until_complete(it.limit.run(sleeps(0s))),
                         "Timeout has already been entered", RuntimeError);
  }

  // CPython: test_timeouts.py test_repr_active, test_repr_expired, test_repr_finished,
  // test_repr_disabled
  TEST_CASE("repr: the state, and the deadline while there is one to come") {
    TestLoop test;
    CHECK(timeout_at(std::nullopt).repr() == "<Timeout [created]>");
    const Limited it(test, sleeps(1h));
    const auto seconds = std::chrono::duration<double>(it.limit.when()->time_since_epoch()).count();
    const std::string text = it.limit.repr();
    REQUIRE(text.starts_with("<Timeout [active] when="));
    CHECK(std::stod(text.substr(23)) == doctest::Approx(seconds));
    it.limit.reschedule(std::nullopt);
    CHECK(it.limit.repr() == "<Timeout [active] when=None>");
    it.limit.reschedule(test.loop.time());
    test.settle();
    CHECK(it.limit.repr() == "<Timeout [expired]>");
    const Limited other(test, sleeps(0s));
    test.settle();
    CHECK(other.limit.repr() == "<Timeout [finished]>");
  }

  TEST_CASE("run: destroyed halfway it leaves no timer behind") {
    TestLoop test;
    const Timeout limit = timeout_at(test.loop.time() + 1s);
    {
      TestLoop other;
      const Timeout its = timeout_at(other.loop.time() + 1s);
      const auto stubborn = []() -> Coro<std::string> {
        for (int i = 0; i < 2; ++i) {
          try {
            co_await weir::sleep(1h);
          } catch (const CancelledError&) {
          }
        }
        co_return "never";
      };
      const Task<std::string> task = other.loop.create_task(its.run(stubborn()));
      other.pass();
      other.loop.close();
      CHECK(other.take_reports().size() == 1);  // It was destroyed pending.
      CHECK(its.repr() == "<Timeout [finished]>");
    }
    CHECK(limit.repr() == "<Timeout [created]>");
  }
}
