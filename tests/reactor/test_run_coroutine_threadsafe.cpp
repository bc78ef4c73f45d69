// SPDX-License-Identifier: MIT
// One thread, which is both sides in turn. Threads are in system/test_run_coroutine_threads.cpp.

#include <doctest/doctest.h>

#include <bit>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/run_coroutine_threadsafe.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::ConcurrentFuture;
using weir::Coro;
using weir::run_coroutine_threadsafe;
using weir::test::Alive;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

Coro<int> gives(int value) { co_return value; }

Coro<> sleeps(std::string* trace) {
  *trace += "started ";
  try {
    co_await weir::sleep(1h);
  } catch (const CancelledError&) {
    *trace += "cancelled";
    throw;
  }
}

/// Waits for `gate`; then gives 7, or throws.
Coro<int> waits_for(weir::Future<> gate, bool fails, Alive) {
  co_await gate;
  if (fails) throw std::out_of_range("far");
  co_return 7;
}

/// What the future says now.
std::string state_of(const ConcurrentFuture<int>& future) {
  if (!future.done()) return "pending";
  try {
    return std::to_string(future.result(0s));
  } catch (const CancelledError&) {
    return "cancelled";
  } catch (const std::out_of_range&) {
    return "failed";
  }
}

/// What the other thread does, and the loop's: each step is done under one lock, so that orders of
/// steps are all the races there are.
class TwoSides {
 public:
  TwoSides(bool fails, bool closes) : fails_(fails), closes_(closes) {}

  void thread_step(int number) {
    if (number == 0) {
      future_.emplace(start());
      return;
    }
    const std::string before = state_of(*future_);
    if (number != 2) return;
    cancel_said_ = future_->cancel();
    if (before == "pending" && !*cancel_said_) complain("cancel() refused what was pending");
    if ((state_of(*future_) == "cancelled") != *cancel_said_) complain("cancel() has lied");
  }
  void loop_step(int number) {
    if (number == 1 && !gate_.done()) gate_.set_result();
    if (number == 3 && closes_) return test_.loop.close();
    test_.pass();
  }
  /// After each step: what is done stays as it is.
  void look() {
    if (!future_) return;
    const std::string now = state_of(*future_);
    if (seen_ != "pending" && now != seen_) complain("it was " + seen_ + ", and is " + now);
    seen_ = now;
  }
  std::string finish() {
    if (!test_.loop.is_closed()) {
      if (!gate_.done()) gate_.set_result();
      test_.settle();
      test_.loop.close();
    }
    look();
    const std::string end = cancel_said_ == true ? "cancelled" : fails_ ? "failed" : "7";
    if (seen_ != end && (seen_ != "cancelled" || !closes_)) complain("it ended " + seen_);
    test_.take_reports();
    return complaint_;
  }

 private:
  ConcurrentFuture<int> start() {
    return run_coroutine_threadsafe(waits_for(gate_, fails_, Alive()), test_.loop);
  }
  void complain(const std::string& what) { complaint_ += what + "; "; }

  bool fails_;
  bool closes_;
  TestLoop test_;
  weir::Future<> gate_{test_.loop};
  std::optional<ConcurrentFuture<int>> future_;
  std::optional<bool> cancel_said_;
  std::string seen_ = "pending";
  std::string complaint_;
};

}  // namespace

TEST_SUITE("reactor/task/run_coroutine_threadsafe") {
  // RUSTSEC-2021-0124: a channel for one value that was closed, sent to and polled at once.
  TEST_CASE("B83: in every order of four steps of a thread and four of the loop it ends once") {
    const int alive = Alive::count;
    int orders = 0;
    for (unsigned mask = 0; mask < 256; ++mask) {
      if (std::popcount(mask) != 4) continue;
      for (const bool fails : {false, true}) {
        for (const bool closes : {false, true}) {
          ++orders;
          std::string order;
          TwoSides sides(fails, closes);
          int of_thread = 0;
          int of_loop = 0;
          bool refused = false;
          for (unsigned step = 0; step < 8 && !refused; ++step) {
            const bool threads_turn = ((mask >> step) & 1) != 0;
            order += threads_turn ? 'T' : 'L';
            try {
              threads_turn ? sides.thread_step(of_thread++) : sides.loop_step(of_loop++);
            } catch (const weir::RuntimeError&) {
              refused = true;  // Started on a loop that is closed.
            }
            sides.look();
          }
          CAPTURE(order);
          CAPTURE(fails);
          CAPTURE(closes);
          if (!refused) CHECK(sides.finish() == "");
        }
      }
    }
    CHECK(orders == 280);
    CHECK(Alive::count == alive);
  }

  // CPython: test_tasks.py test_run_coroutine_threadsafe
  TEST_CASE("result: what the coroutine returned, as often as it is asked for") {
    TestLoop test;
    const ConcurrentFuture<int> future = run_coroutine_threadsafe(gives(3), test.loop);
    CHECK_FALSE(future.done());
    test.pass();
    test.settle();
    CHECK(future.done());
    CHECK(future.result() == 3);
    CHECK(future.result() == 3);
    CHECK(future.exception() == nullptr);
  }

  TEST_CASE("result: what can only be moved is moved") {
    TestLoop test;
    const auto owns = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
    const auto future = run_coroutine_threadsafe(owns(), test.loop);
    test.pass();
    test.settle();
    CHECK(*future.result() == 7);
  }

  // CPython: test_tasks.py test_run_coroutine_threadsafe_with_exception
  TEST_CASE("result: throws what the coroutine threw, which is then heard") {
    TestLoop test;
    const auto fails = []() -> Coro<> {
      throw std::out_of_range("far");
      co_return;
    };
    const auto future = run_coroutine_threadsafe(fails(), test.loop);
    test.pass();
    test.settle();
    CHECK_THROWS_WITH_AS(future.result(), "far", std::out_of_range);
    CHECK(future.exception() != nullptr);
  }

  // CPython: test_tasks.py test_run_coroutine_threadsafe_with_timeout
  TEST_CASE("result: throws TimeoutError when the time is up, and the coroutine goes on") {
    TestLoop test;
    std::string trace;
    const auto future = run_coroutine_threadsafe(sleeps(&trace), test.loop);
    CHECK_THROWS_AS(future.result(0s), weir::TimeoutError);
    test.pass();
    test.settle();
    CHECK(trace == "started ");
    CHECK(future.cancel());
    test.pass();
    test.settle();
  }

  // CPython: test_tasks.py test_run_coroutine_threadsafe_task_cancelled
  TEST_CASE("cancelled: a coroutine that ends so gives CancelledError") {
    TestLoop test;
    const auto ends = []() -> Coro<int> {
      throw CancelledError("enough");
      co_return 1;
    };
    const auto future = run_coroutine_threadsafe(ends(), test.loop);
    test.pass();
    test.settle();
    CHECK(future.cancelled());
    CHECK_THROWS_AS(future.result(), CancelledError);
  }

  TEST_CASE("cancel: is done at once, and reaches the coroutine on its loop") {
    TestLoop test;
    std::string trace;
    const auto future = run_coroutine_threadsafe(sleeps(&trace), test.loop);
    test.pass();
    test.settle();
    CHECK(future.cancel());
    CHECK(future.cancelled());
    CHECK(trace == "started ");
    test.pass();
    test.settle();
    CHECK(trace == "started cancelled");
    CHECK(future.cancel());  // As in concurrent.futures: it is cancelled, so yes.
  }

  TEST_CASE("cancel: before the coroutine has begun, it never does") {
    const int before = Alive::count;
    TestLoop test;
    bool ran = false;
    const auto runs = [](bool* it_ran, Alive) -> Coro<> {
      *it_ran = true;
      co_return;
    };
    const auto future = run_coroutine_threadsafe(runs(&ran, Alive()), test.loop);
    CHECK(future.cancel());
    test.pass();
    test.settle();
    CHECK_FALSE(ran);
    CHECK(Alive::count == before);
  }

  TEST_CASE("cancel: of what is finished says no") {
    TestLoop test;
    const auto future = run_coroutine_threadsafe(gives(3), test.loop);
    test.pass();
    test.settle();
    CHECK_FALSE(future.cancel());
    CHECK(future.result() == 3);
  }

  TEST_CASE("cancel: a failure of the coroutine afterwards is dropped") {
    TestLoop test;
    const auto fails = []() -> Coro<> {
      try {
        co_await weir::sleep(1h);
      } catch (const CancelledError&) {
        throw std::out_of_range("dropped");
      }
    };
    const auto future = run_coroutine_threadsafe(fails(), test.loop);
    test.pass();
    test.settle();
    future.cancel();
    test.pass();
    test.settle();
    CHECK(future.cancelled());
    CHECK(test.take_reports().empty());
  }

  TEST_CASE("closed loop: refuses the coroutine, which is destroyed") {
    const int before = Alive::count;
    TestLoop test;
    test.loop.close();
    const auto holds = [](Alive) -> Coro<> { co_return; };
    CHECK_THROWS_WITH_AS(run_coroutine_threadsafe(holds(Alive()), test.loop),
                         "Event loop is closed", weir::RuntimeError);
    CHECK(Alive::count == before);
  }

  TEST_CASE("closed loop: nobody waits for ever for what was not done by then") {
    TestLoop test;
    std::string trace;
    const auto begun = run_coroutine_threadsafe(sleeps(&trace), test.loop);
    test.pass();
    test.settle();
    const auto posted = run_coroutine_threadsafe(gives(1), test.loop);
    test.loop.close();
    CHECK(begun.cancelled());
    CHECK(posted.done());
    CHECK(begun.cancel());
  }

  TEST_CASE("own thread: waiting for one's own loop is refused, not a deadlock") {
    TestLoop test;
    const auto waits = [](weir::EventLoop* loop) -> Coro<int> {
      co_return run_coroutine_threadsafe(gives(1), *loop).result();
    };
    CHECK_THROWS_WITH_AS(test.loop.run_until_complete(waits(&test.loop)),
                         "this thread runs the loop that it would wait for: co_await the coroutine",
                         weir::RuntimeError);
    test.pass();
    test.settle();
  }

  // CPython: test_tasks.py test_run_coroutine_threadsafe_task_factory_exception
  TEST_CASE("start: what cannot become a task fails for both sides") {
    TestLoop test;
    Coro<int> coro = gives(1);
    const Coro<int> gone = std::move(coro);
    // NOLINTNEXTLINE(bugprone-use-after-move): that is the case.
    const auto future = run_coroutine_threadsafe(std::move(coro), test.loop);
    test.pass();
    CHECK_THROWS_WITH_AS(future.result(), "cannot reuse already awaited coroutine",
                         weir::RuntimeError);
    CHECK(test.take_reports().size() == 1);
  }
}
