// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>

#include <weir/reactor/handle.hpp>

#include <tests/reactor/fake_loop.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::FakeLoop;
using weir::test::when_destroyed;

TEST_SUITE_BEGIN("reactor/handle");

TEST_CASE_FIXTURE(FakeLoop, "cancel: a ready callback does not run") {
  Handle handle = loop.call_soon(note("cancelled"));
  loop.call_soon(note("other"));
  handle.cancel();
  pass();
  CHECK(trace == "other ");
}

TEST_CASE_FIXTURE(FakeLoop, "cancel: works before its turn in the same pass") {
  Handle later;
  loop.call_soon([&] { later.cancel(); });
  later = loop.call_soon(note("cancelled"));
  loop.call_soon(note("other"));
  pass();
  CHECK(trace == "other ");
}

TEST_CASE_FIXTURE(FakeLoop, "cancel: destroys a ready callable now") {
  const auto captured = std::make_shared<int>();
  Handle handle = loop.call_soon([captured] {});
  CHECK(captured.use_count() == 2);
  handle.cancel();
  CHECK(captured.use_count() == 1);
}

// CPython: test_base_events.py test__run_once. asyncio keeps it until it comes to the top.
TEST_CASE_FIXTURE(FakeLoop,
                  "cancel: destroys a timer's callable now, and the timer leaves the heap") {
  const auto captured = std::make_shared<int>();
  TimerHandle handle = loop.call_later(1h, [captured] {});
  CHECK(loop.timers().size() == 1);
  handle.cancel();
  CHECK(loop.timers().size() == 0);
  CHECK(captured.use_count() == 1);
}

TEST_CASE_FIXTURE(FakeLoop, "cancel: stops a timer that is due in the same pass") {
  TimerHandle second;
  loop.call_later(1ms, [&] { second.cancel(); });
  second = loop.call_later(1ms, note("cancelled"));
  loop.call_later(1ms, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(trace == "");
}

TEST_CASE_FIXTURE(FakeLoop, "cancel: a second time is harmless") {
  Handle handle = loop.call_soon(note("cancelled"));
  handle.cancel();
  handle.cancel();
  pass();
  CHECK(trace == "");
  CHECK(handle.cancelled());
}

TEST_CASE_FIXTURE(FakeLoop, "cancel: in its own callback leaves what the callback captured alone") {
  Handle handle;
  const auto captured = std::make_shared<int>();
  long uses_after_cancel = 0;
  handle = loop.call_soon([&handle, &uses_after_cancel, captured] {
    handle.cancel();
    uses_after_cancel = captured.use_count();
  });
  pass();
  CHECK(uses_after_cancel == 2);
  CHECK(captured.use_count() == 1);
}

TEST_CASE_FIXTURE(FakeLoop, "cancel: may be called again by the destructor of the callable") {
  Handle handle;
  handle = loop.call_soon([guard = when_destroyed([&] {
                             handle.cancel();
                             trace += "destroyed ";
                           })] {});
  handle.cancel();
  CHECK(trace == "destroyed ");
}

// CPython: test_events.py HandleTests.test_handle
TEST_CASE_FIXTURE(FakeLoop, "cancelled: tells of a cancel only, also of one that came too late") {
  Handle handle = loop.call_soon(note("ran"));
  CHECK_FALSE(handle.cancelled());
  pass();
  CHECK_FALSE(handle.cancelled());
  handle.cancel();
  CHECK(handle.cancelled());
  CHECK(trace == "ran ");
}

TEST_CASE_FIXTURE(FakeLoop, "handle: dropping it leaves the callback scheduled") {
  {
    const Handle dropped = loop.call_soon(note("soon"));
  }
  {
    const TimerHandle dropped = loop.call_later(0s, note("later"));
  }
  pass();
  CHECK(trace == "soon later ");
}

TEST_CASE_FIXTURE(FakeLoop, "handle: copies are of one callback") {
  const Handle handle = loop.call_soon(note("cancelled"));
  Handle copy = handle;
  copy.cancel();
  pass();
  CHECK(handle.cancelled());
  CHECK(trace == "");
}

TEST_CASE("handle: an empty one does nothing") {
  Handle handle;
  handle.cancel();
  CHECK_FALSE(handle.cancelled());
  CHECK(TimerHandle().when() == TimePoint());
}

TEST_CASE("handle: may outlive the loop, and be cancelled then") {
  FakeKernel kernel;
  std::optional<EventLoop> loop(std::in_place, kernel);
  Handle ready = loop->call_soon([] {});
  TimerHandle timer = loop->call_later(1h, [] {});
  loop->close();
  loop.reset();
  ready.cancel();
  timer.cancel();
  CHECK(timer.cancelled());
  CHECK(timer.when() == FakeKernel::start + 1h);
}

TEST_CASE_FIXTURE(FakeLoop, "handle: what a callback captured is gone before the next one runs") {
  const auto captured = std::make_shared<int>();
  long uses = 0;
  const Handle kept = loop.call_soon([captured] {});
  loop.call_soon([&] { uses = captured.use_count(); });
  pass();
  CHECK(uses == 1);
}

TEST_CASE_FIXTURE(FakeLoop, "handle: the destructor of a callable may schedule") {
  loop.call_soon([guard = when_destroyed([&] { loop.call_soon(note("scheduled")); })] {});
  pass();
  CHECK(trace == "");
  pass();
  CHECK(trace == "scheduled ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "handle: a callable that is too large to be stored inline runs as well") {
  std::array<int, 100> large{};
  large[99] = 7;
  int seen = 0;
  loop.call_soon([large, &seen, only = std::make_unique<int>(1)] { seen = large[99] + *only; });
  pass();
  CHECK(seen == 8);
}

TEST_CASE_FIXTURE(FakeLoop,
                  "when: is the deadline, after the timer has run and was cancelled too") {
  TimerHandle handle = loop.call_later(5ms, [&] { loop.stop(); });
  CHECK(handle.when() == FakeKernel::start + 5ms);
  loop.run_forever();
  CHECK(handle.when() == FakeKernel::start + 5ms);
  handle.cancel();
  CHECK(handle.when() == FakeKernel::start + 5ms);
}

TEST_SUITE_END();
