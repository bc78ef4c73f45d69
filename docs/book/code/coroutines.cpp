// SPDX-License-Identifier: MIT
// What the chapter "Coroutines" shows: one coroutine, and the same written out by hand.
#include <doctest/doctest.h>

#include <chrono>
#include <coroutine>
#include <exception>
#include <string>
#include <utility>

#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include "stage.hpp"

using namespace std::chrono_literals;

namespace {

using book::Stage;

// [awaitable]
/// A place to wait: whoever awaits it goes on when somebody calls open().
class Gate {
 public:
  bool await_ready() const noexcept { return open_; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
  int await_resume() const noexcept { return 7; }

  void open() {
    open_ = true;
    if (waiter_) std::exchange(waiter_, nullptr).resume();
  }

 private:
  bool open_ = false;
  std::coroutine_handle<> waiter_;
};
// [/awaitable]

// [coroutine_type]
/// The least that a coroutine's return type must say: starts at once, destroys itself at its end.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};
// [/coroutine_type]

// [written]
Detached written(Gate& gate, std::string& trace) {
  std::string before = "before ";
  trace += before;
  const int number = co_await gate;
  trace += std::to_string(number) + " after " + before;
}
// [/written]

// [by_hand]
/// The frame: what lives across the co_await, and where to go on.
struct ByHand {
  Gate& gate;
  std::string& trace;
  std::string before;
  int state = 0;

  void resume() {
    switch (state) {
      case 0:
        before = "before ";
        trace += before;
        if (!gate.await_ready()) {
          state = 1;
          return;  // await_suspend(a handle of this frame); back to whoever resumed us.
        }
        [[fallthrough]];
      case 1: {
        const int number = gate.await_resume();
        trace += std::to_string(number) + " after " + before;
        state = 2;
      }
    }
  }
};
// [/by_hand]

weir::Coro<std::string> inner(Stage* stage) {
  stage->trace += "inner ";
  co_await weir::sleep(1s);
  co_return "slept";
}
weir::Coro<> outer(Stage* stage) {
  // [lazy]
  auto lazy = inner(stage);  // Nothing has run yet.
  stage->trace += "outer ";
  stage->trace += co_await std::move(lazy);
  // [/lazy]
}

// [catching]
/// C++ has no co_await in a catch block: an Outcome holds the exception until after it.
weir::Coro<> careful(Stage* stage, weir::Future<> fails) {
  const weir::Outcome<> outcome = co_await weir::outcome(fails);
  if (outcome.exception()) {
    co_await weir::sleep(1s);  // For instance, before the next attempt.
    stage->trace += "recovered ";
  }
}
// [/catching]

}  // namespace

TEST_SUITE("book/coroutines") {
  TEST_CASE("coroutines: one that waits, and the same written out by hand") {
    std::string trace;
    Gate gate;
    written(gate, trace);
    CHECK(trace == "before ");
    gate.open();
    CHECK(trace == "before 7 after before ");

    std::string by_hand;
    Gate other;
    ByHand frame{other, by_hand, {}};
    frame.resume();
    CHECK(by_hand == "before ");
    other.open();
    frame.resume();
    CHECK(by_hand == trace);
  }

  TEST_CASE("coroutines: one that need not wait goes straight through") {
    std::string trace;
    Gate gate;
    gate.open();
    written(gate, trace);
    CHECK(trace == "before 7 after before ");
    std::string by_hand;
    ByHand frame{gate, by_hand, {}};
    frame.resume();
    CHECK(by_hand == trace);
  }

  TEST_CASE_FIXTURE(Stage, "coroutines: a Coro is lazy, and awaiting it is a call") {
    const auto task = loop.create_task(outer(this));
    run_for(1min);
    CHECK(trace == "outer inner slept");
    CHECK(task.done());
  }

  TEST_CASE_FIXTURE(Stage, "coroutines: recovery awaits outside of the catch block") {
    const weir::Future<> fails = loop.create_future<void>();
    const auto task = loop.create_task(careful(this, fails));
    pass();
    fails.set_exception(weir::RuntimeError("for a test"));
    run_for(1min);
    CHECK(trace == "recovered ");
    CHECK(task.done());
  }
}
