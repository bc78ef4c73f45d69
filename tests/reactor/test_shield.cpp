// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <tuple>

#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/gather.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/shield.hpp>
#include <weir/reactor/task/sleep.hpp>

#include <tests/support/task_fixture.hpp>

using weir::Coro;
using weir::Future;
using weir::shield;
using weir::Task;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

/// Nobody can have a copy of it.
struct Fragile {
  Fragile() = default;
  Fragile(Fragile&&) = default;
  Fragile& operator=(Fragile&&) = default;
  Fragile(const Fragile&) { throw std::out_of_range("no copies"); }
  Fragile& operator=(const Fragile&) = default;
};

}  // namespace

TEST_SUITE("reactor/task/shield") {
  // CPython: test_tasks.py test_shield_result
  TEST_CASE("shield: gives the inner result, one pass after it") {
    TestLoop test;
    const Future<int> inner(test.loop);
    const Future<int> outer = shield(inner);
    inner.set_result(42);
    CHECK_FALSE(outer.done());
    test.pass();
    CHECK(outer.result() == 42);
  }

  // CPython: test_tasks.py test_shield_exception
  TEST_CASE("shield: throws the inner exception, which is then heard") {
    TestLoop test;
    const Future<int> inner(test.loop);
    const Future<int> outer = shield(inner);
    inner.set_exception(std::out_of_range("far"));
    test.pass();
    CHECK_THROWS_WITH_AS(outer.result(), "far", std::out_of_range);
  }

  TEST_CASE("shield: a result that cannot be copied is the outer one's failure") {
    TestLoop test;
    const Future<Fragile> inner(test.loop);
    const Future<Fragile> outer = shield(inner);
    inner.set_result(Fragile());
    test.pass();
    CHECK_THROWS_WITH_AS(outer.result(), "no copies", std::out_of_range);
  }

  // CPython: test_tasks.py test_shield_cancel_inner
  TEST_CASE("shield: is cancelled when the inner one is") {
    TestLoop test;
    const Future<int> inner(test.loop);
    const Future<int> outer = shield(inner);
    inner.cancel();
    test.pass();
    CHECK(outer.cancelled());
  }

  // CPython: test_tasks.py test_shield_cancel_outer
  TEST_CASE("shield: cancelled, it leaves the inner one alone, and does not listen any more") {
    TestLoop test;
    const Future<int> inner(test.loop);
    const Future<int> outer = shield(inner);
    CHECK(outer.cancel());
    CHECK(outer.cancelled());
    CHECK_FALSE(inner.done());
    inner.set_result(1);
    CHECK(test.loop.ready().empty());
  }

  // CPython: test_tasks.py test_shield_shortcut
  TEST_CASE("shield: a future that is done is returned itself") {
    TestLoop test;
    const Future<int> inner(test.loop);
    inner.set_result(42);
    CHECK(shield(inner) == inner);
  }

  // CPython: test_tasks.py test_shield_effect
  TEST_CASE("shield: the coroutine goes on when the task that awaits it is cancelled") {
    TestLoop test;
    std::string trace;
    const auto works = [](std::string* said) -> Coro<> {
      co_await weir::sleep(1s);
      *said = "done";
    };
    const auto awaits = [](Coro<> work) -> Coro<> { co_await shield(std::move(work)); };
    const Task<> task = test.loop.create_task(awaits(works(&trace)));
    test.settle();
    task.cancel();
    test.settle();
    CHECK(task.cancelled());
    test.advance(1s);
    CHECK(trace == "done");
  }

  TEST_CASE("shield: a failure after the outer one was cancelled is the inner one's to report") {
    TestLoop test;
    {
      const Future<int> inner(test.loop);
      const Future<int> outer = shield(inner);
      outer.cancel();
      test.settle();
      inner.set_exception(std::out_of_range("far"));
      test.settle();
    }
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "Future exception was never retrieved");
  }

  // CPython: test_tasks.py test_shield_gather
  TEST_CASE("shield: of a gather keeps the children") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    const auto both = weir::gather(a, b);
    const auto outer = shield(both);
    CHECK(outer.cancel());
    CHECK(outer.cancelled());
    a.set_result(1);
    b.set_result(2);
    test.settle();
    CHECK(both.result() == std::tuple(1, 2));
  }

  // CPython: test_tasks.py test_gather_shield
  TEST_CASE("shield: in a gather that is cancelled keeps what is inside") {
    TestLoop test;
    const Future<int> a(test.loop);
    const Future<int> b(test.loop);
    const auto outer = weir::gather(shield(a), shield(b));
    CHECK(outer.cancel());
    test.settle();
    CHECK_THROWS_AS(outer.result(), weir::CancelledError);
    CHECK_FALSE(a.done());
    CHECK_FALSE(b.done());
  }

  // CPython: test_tasks.py test_shield_coroutine_use_running_loop
  TEST_CASE("shield: a coroutine becomes a task of the running loop") {
    TestLoop test;
    const auto gives = []() -> Coro<int> { co_return 42; };
    const auto shields = [](Coro<int> work) -> Coro<Future<int>> {
      co_return shield(std::move(work));
    };
    const Future<int> outer = test.loop.run_until_complete(shields(gives()));
    CHECK(&outer.get_loop() == &test.loop);
    CHECK(test.loop.run_until_complete(outer) == 42);
  }

  // CPython: test_tasks.py test_shield_coroutine_without_loop
  TEST_CASE("shield: a coroutine needs a running loop") {
    const auto none = []() -> Coro<> { co_return; };
    CHECK_THROWS_WITH_AS(static_cast<void>(shield(none())), "no running event loop",
                         weir::RuntimeError);
  }
}
