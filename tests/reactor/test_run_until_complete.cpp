// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::Future;
using weir::InvalidStateError;
using weir::KeyboardInterrupt;
using weir::OSError;
using weir::RuntimeError;
using weir::Task;
using weir::ValueError;
using weir::test::Alive;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

template <class T>
Coro<T> gives_later(T value) {
  co_await weir::sleep(1s);
  co_return value;
}

template <class E>
Coro<> throws_later(E error) {
  co_await weir::sleep(0s);
  throw error;
}

}  // namespace

TEST_SUITE("reactor/task/run_until_complete") {
  // CPython: test_events.py test_run_until_complete
  TEST_CASE("run_until_complete: a coroutine is run to its end, and its result returned") {
    TestLoop test;
    CHECK(test.loop.run_until_complete(gives_later(7)) == 7);
    CHECK(*test.loop.run_until_complete(gives_later(std::make_unique<int>(8))) == 8);
    test.loop.run_until_complete(weir::sleep(1s));
    CHECK_FALSE(test.loop.is_running());
  }

  TEST_CASE("run_until_complete: a future or task gives its result as often as one asks") {
    TestLoop test;
    const Future<std::string> future(test.loop);
    const Task<std::string> task = test.loop.create_task(gives_later(std::string("text")));
    test.loop.call_later(1s, [future] { future.set_result("text"); });
    for (int i = 0; i < 2; ++i) {
      CHECK(test.loop.run_until_complete(future) == "text");
      CHECK(test.loop.run_until_complete(task) == "text");
    }
    CHECK(future.result() == "text");
  }

  TEST_CASE("run_until_complete: a result that can only be moved is given out once") {
    TestLoop test;
    const Task<std::unique_ptr<int>> task =
        test.loop.create_task(gives_later(std::make_unique<int>(7)));
    CHECK(*test.loop.run_until_complete(task) == 7);
    CHECK_THROWS_WITH_AS(static_cast<void>(test.loop.run_until_complete(task)),
                         "Result was already taken: it can only be moved, once.",
                         InvalidStateError);
  }

  TEST_CASE("run_until_complete: what the coroutine throws is thrown here, and not reported") {
    TestLoop test;
    CHECK_THROWS_AS(test.loop.run_until_complete(throws_later(std::out_of_range("far"))),
                    std::out_of_range);
    CHECK_THROWS_AS(test.loop.run_until_complete(throws_later(CancelledError())), CancelledError);
  }

  // CPython: test_events.py test_run_until_complete_stopped
  TEST_CASE("run_until_complete: stopped before that, it says so, and the task goes on later") {
    TestLoop test;
    const Task<int> task = test.loop.create_task(gives_later(7));
    test.loop.call_soon([&] { test.loop.stop(); });
    CHECK_THROWS_WITH_AS(test.loop.run_until_complete(task),
                         "Event loop stopped before Future completed.", RuntimeError);
    CHECK_FALSE(task.done());
    CHECK(test.loop.run_until_complete(task) == 7);
  }

  TEST_CASE("run_until_complete: a closed loop refuses, and the coroutine is destroyed unrun") {
    const int before = Alive::count;
    TestLoop test;
    const auto holds = [](Alive) -> Coro<> { co_return; };
    test.loop.close();
    CHECK_THROWS_WITH_AS(test.loop.run_until_complete(holds(Alive())), "Event loop is closed",
                         RuntimeError);
    CHECK(Alive::count == before);
  }

  // CPython: test_events.py test_run_until_complete_nesting
  TEST_CASE("run_until_complete: inside the running loop it is refused, and nothing runs") {
    TestLoop test;
    std::string trace;
    const auto says = [](std::string* words) -> Coro<> {
      *words += "ran";
      co_return;
    };
    std::string error;
    test.loop.call_soon([&] {
      try {
        test.loop.run_until_complete(says(&trace));
      } catch (const RuntimeError& refused) {
        error = refused.what();
      }
    });
    test.settle();
    CHECK(error == "This event loop is already running");
    CHECK(trace.empty());
  }

  TEST_CASE("run_until_complete: while another loop runs it is refused, and nothing runs") {
    TestLoop test;
    TestLoop other;
    std::string trace;
    const auto says = [](std::string* words) -> Coro<> {
      *words += "ran";
      co_return;
    };
    std::string error;
    test.loop.call_soon([&] {
      try {
        other.loop.run_until_complete(says(&trace));
      } catch (const RuntimeError& refused) {
        error = refused.what();
      }
    });
    test.settle();
    other.settle();
    CHECK(error == "Cannot run the event loop while another loop is running");
    CHECK(trace.empty());
  }

  // CPython: test_base_events.py test_run_until_complete_loop
  TEST_CASE("run_until_complete: another loop's future is refused") {
    TestLoop test;
    TestLoop other;
    const Future<> future(other.loop);
    CHECK_THROWS_WITH_AS(
        test.loop.run_until_complete(future),
        "The future belongs to a different loop than the one specified as the loop argument",
        ValueError);
  }

  TEST_CASE("stopper: an exception out of a callback leaves none behind on a pending future") {
    TestLoop test;
    const Future<> future(test.loop);
    test.loop.call_soon([] { throw KeyboardInterrupt(); });
    CHECK_THROWS_AS(test.loop.run_until_complete(future), KeyboardInterrupt);
    future.set_result();
    CHECK(test.loop.run_until_complete(gives_later(7)) == 7);
  }

  TEST_CASE("stopper: an exception in the pass of the completion leaves none behind either") {
    TestLoop test;
    const Future<> future(test.loop);
    test.loop.call_soon([&] {
      future.set_result();
      throw KeyboardInterrupt();
    });
    CHECK_THROWS_AS(test.loop.run_until_complete(future), KeyboardInterrupt);
    CHECK(test.loop.run_until_complete(gives_later(7)) == 7);
  }

  // CPython: test_base_events.py test_run_until_complete_baseexception
  TEST_CASE(
      "Ctrl-C: thrown by the task, it is thrown here and nowhere else; the next run is whole") {
    TestLoop test;
    CHECK_THROWS_AS(test.loop.run_until_complete(throws_later(KeyboardInterrupt())),
                    KeyboardInterrupt);
    CHECK(test.take_reports().empty());
    {
      const Task<> task = test.loop.create_task(throws_later(KeyboardInterrupt()));
      CHECK_THROWS_AS(test.loop.run_until_complete(task), KeyboardInterrupt);
    }
    CHECK(test.take_reports().empty());
    CHECK(test.loop.run_until_complete(gives_later(7)) == 7);
  }

  TEST_CASE("run_until_complete: keeps the future whose handle is given another meanwhile") {
    TestLoop test;
    Future<int> future(test.loop);
    test.loop.call_soon([&] {
      future = Future<int>(test.loop);
      test.loop.stop();
    });
    CHECK_THROWS_AS(test.loop.run_until_complete(future), RuntimeError);
  }

  TEST_CASE("run_until_complete: what nothing can ever complete is an error of the kernel here") {
    TestLoop test;
    CHECK_THROWS_AS(test.loop.run_until_complete(Future<>(test.loop)), OSError);
  }
}
