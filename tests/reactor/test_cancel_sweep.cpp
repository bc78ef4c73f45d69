// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/testing/cancel_sweep.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::testing::cancel_sweep;
using weir::testing::SweepRun;

namespace {

Coro<> sleeps(int times) {
  for (int i = 0; i < times; ++i) co_await sleep(1s);
}

Coro<> nested(int times) {
  for (int i = 0; i < times; ++i) co_await sleeps(2);
}

/// Ends well, but for the wait number `deaf`, whose cancellation it does not hear.
Coro<> swallows(int deaf) {
  for (int i = 1; i <= 3; ++i) {
    const Outcome<void> slept = co_await outcome(sleep(1s));
    if (slept.exception() && i != deaf) std::rethrow_exception(slept.exception());
  }
}

Coro<> turns_it_into(std::string text) {
  const Outcome<void> slept = co_await outcome(sleep(1s));
  if (slept.exception()) throw RuntimeError(text);
}

Coro<> leaves_a_task() {
  const Task<> child = create_task(sleeps(1));
  co_await sleep(2s);
}

Coro<> waits_for_ever_after_cancel() {
  const Outcome<void> slept = co_await outcome(sleep(1s));
  const Future<> never = get_running_loop().create_future<void>();
  if (slept.exception()) co_await never;
}

Coro<> notes_start(std::vector<int>* starts) {
  starts->push_back(1);
  co_await sleep(1s);
  starts->back() = 2;
  co_await sleep(1s);
  starts->back() = 3;
}

Coro<> locks(bool* locked, bool carefully) {
  *locked = true;
  const Outcome<void> slept = co_await outcome(sleep(1s));
  if (carefully || !slept.exception()) *locked = false;
  if (slept.exception()) std::rethrow_exception(slept.exception());
}

Coro<> fails() {
  co_await sleep(1s);
  throw ValueError("by itself");
}

Coro<> never_waits() { co_return; }

Coro<> reports_something() {
  get_running_loop().call_exception_handler(ExceptionContext("oops"));
  co_await sleep(1s);
}

}  // namespace

TEST_SUITE_BEGIN("reactor/testing/cancel_sweep");

TEST_CASE("cancel_sweep: strikes at every await point, at any depth, and once not at all") {
  int runs = 0;
  const auto make = [&](SweepRun&) {
    ++runs;
    return nested(3);
  };
  CHECK(cancel_sweep(make) == "");
  CHECK(runs == 7);
}

TEST_CASE("cancel_sweep: a cancelled run got just as far as its await point") {
  std::vector<int> starts;
  CHECK(cancel_sweep([&](SweepRun&) { return notes_start(&starts); }) == "");
  CHECK(starts == std::vector<int>{1, 2, 3});
}

TEST_CASE("cancel_sweep: a coroutine that never waits is run once") {
  int runs = 0;
  const auto make = [&](SweepRun&) {
    ++runs;
    return never_waits();
  };
  CHECK(cancel_sweep(make) == "");
  CHECK(runs == 1);
}

TEST_CASE("cancel_sweep: a cancellation that is swallowed is found, with its await point") {
  CHECK(cancel_sweep([](SweepRun&) { return swallows(2); }) ==
        "cancelled at await point 2: swallows the cancellation");
  CHECK(cancel_sweep([](SweepRun&) { return swallows(2); }, {}, {.may_finish = true}) == "");
}

TEST_CASE("cancel_sweep: another exception in its place is found") {
  CHECK(cancel_sweep([](SweepRun&) { return turns_it_into("no"); }) ==
        "cancelled at await point 1: ends with RuntimeError: no");
}

TEST_CASE("cancel_sweep: a coroutine that then waits for ever is found") {
  CHECK(cancel_sweep([](SweepRun&) { return waits_for_ever_after_cancel(); }) ==
        "cancelled at await point 1: waits for ever");
}

TEST_CASE("cancel_sweep: a task that is left over is found") {
  const std::string wrong = cancel_sweep([](SweepRun&) { return leaves_a_task(); });
  CHECK(wrong.starts_with("cancelled at await point 1: left over: <Task pending name='Task-"));
}

TEST_CASE("cancel_sweep: what the user's check says is reported, after cancelled runs only") {
  bool locked = false;
  int checks = 0;
  const auto check = [&](SweepRun&) {
    ++checks;
    return locked ? std::string("still locked") : std::string();
  };
  CHECK(cancel_sweep([&](SweepRun&) { return locks(&locked, false); }, check) ==
        "cancelled at await point 1: still locked");
  CHECK(cancel_sweep([&](SweepRun&) { return locks(&locked, true); }, check) == "");
  CHECK(checks == 2);
}

TEST_CASE("cancel_sweep: an exception of the run that nobody cancels is found") {
  CHECK(cancel_sweep([](SweepRun&) { return fails(); }) ==
        "not cancelled: ends with ValueError: by itself");
}

TEST_CASE("cancel_sweep: what the exception handler was told is found") {
  CHECK(cancel_sweep([](SweepRun&) { return reports_something(); }) ==
        "cancelled at await point 1: the exception handler was told: oops");
}

TEST_CASE("cancel_sweep: does not go on for ever") {
  CHECK(cancel_sweep([](SweepRun&) { return sleeps(20); }, {}, {.max_points = 10}) ==
        "more than 10 await points");
}

TEST_SUITE_END();
