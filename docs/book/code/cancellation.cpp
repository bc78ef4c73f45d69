// SPDX-License-Identifier: MIT
// What the chapter "Cancellation" shows.
#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/shield.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/timeouts.hpp>
#include <weir/reactor/testing/cancel_sweep.hpp>

#include "stage.hpp"

using namespace std::chrono_literals;

namespace {

using book::Stage;

// [unwinds]
struct Note {
  std::string& trace;
  ~Note() { trace += "unwound "; }
};

weir::Coro<> innermost(std::string* trace) {
  const Note note{*trace};
  co_await weir::sleep(1h);
  *trace += "slept ";
}
weir::Coro<> middle(std::string* trace) {
  const Note note{*trace};
  co_await innermost(trace);
}
// [/unwinds]

// [swallows]
weir::Coro<> tries(std::string* trace) {
  try {
    co_await weir::sleep(1h);
  } catch (const std::exception&) {  // CancelledError is none: it goes by.
    *trace += "caught ";
  }
}
// [/swallows]

// [cleanup]
weir::Coro<> say_goodbye(std::string* trace) {
  co_await weir::sleep(1s);  // May wait: it is awaited outside of any catch block.
  *trace += "goodbye ";
}
weir::Coro<> session(std::string* trace) {
  co_await weir::finally_(innermost(trace), say_goodbye(trace));
}
// [/cleanup]

// [transfer]
/// Moves an amount from one account to the other, and asks for a permission in between.
weir::Coro<> transfer(int* from, int* to, int amount) {
  co_await weir::sleep(1s);  // The permission.
  *from -= amount;
  *to += amount;             // No await between the two: nobody can be cancelled there.
  co_await weir::sleep(1s);  // The receipt.
}
// [/transfer]

}  // namespace

TEST_SUITE("book/cancellation") {
  TEST_CASE_FIXTURE(Stage, "cancellation: it strikes the innermost await, and unwinds from there") {
    // [strikes]
    const weir::Task<> task = loop.create_task(middle(&trace));
    run_for(1s);
    task.cancel();
    CHECK(trace.empty());  // Nothing has happened yet: it will, in the loop.
    run_for(1ms);
    CHECK(trace == "unwound unwound ");
    CHECK(task.cancelled());
    // [/strikes]
  }

  TEST_CASE_FIXTURE(Stage, "cancellation: catch (const std::exception&) does not swallow it") {
    const weir::Task<> task = loop.create_task(tries(&trace));
    run_for(1s);
    task.cancel();
    run_for(1ms);
    CHECK(trace.empty());
    CHECK(task.cancelled());
  }

  TEST_CASE_FIXTURE(Stage,
                    "cancellation: a time-out is a cancellation that comes back as an error") {
    // [timeout]
    const auto task = loop.create_task(weir::wait_for(weir::sleep(1h), 5s));
    run_for(6s);
    CHECK(weir::describe(task.exception()) == "TimeoutError");
    CHECK_FALSE(task.cancelled());
    // [/timeout]
  }

  TEST_CASE_FIXTURE(Stage, "cancellation: finally_ cleans up, and may wait for that") {
    const weir::Task<> task = loop.create_task(session(&trace));
    run_for(1s);
    task.cancel();
    run_for(1min);
    CHECK(trace == "unwound goodbye ");
    CHECK(task.cancelled());
  }

  TEST_CASE_FIXTURE(Stage, "cancellation: a shield keeps what is inside, not who waits") {
    // [shield]
    const auto work = loop.create_task(say_goodbye(&trace));
    const auto waits = loop.create_task(weir::shield(work));
    pass();
    waits.cancel();
    run_for(1min);
    CHECK(waits.cancelled());
    CHECK(trace == "goodbye ");
    // [/shield]
    CHECK_FALSE(work.cancelled());
  }

  TEST_CASE("cancellation: wherever a transfer is cancelled, no money is lost") {
    // [sweep]
    int from = 0;
    int to = 0;
    const auto start = [&](weir::testing::SweepRun&) {
      from = 100;
      to = 0;
      return transfer(&from, &to, 40);
    };
    const auto check = [&](weir::testing::SweepRun&) {
      return from + to == 100 ? std::string() : std::string("money is lost");
    };
    CHECK(weir::testing::cancel_sweep(start, check).empty());
    // [/sweep]
  }
}
