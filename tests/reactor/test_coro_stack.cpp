// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::Future;
using weir::Task;
using weir::test::TestLoop;

namespace {

constexpr int many = 1'000'000;
constexpr std::size_t allowed_bytes = std::size_t{64} * 1024;

/// How far down the stack the code under test has been seen to run. __builtin_frame_address is the
/// real stack also where AddressSanitizer keeps local variables elsewhere.
class StackGauge {
 public:
  static void reset() {
    base_ = here();
    deepest_ = 0;
    measured_ = 0;
  }
  static void measure() {
    const std::uintptr_t at = here();
    deepest_ = std::max<std::size_t>(deepest_, base_ > at ? base_ - at : at - base_);
    ++measured_;
  }
  /// True if it was measured `times`, and always within the limit.
  static bool stayed_flat(int times) { return measured_ == times && deepest_ <= allowed_bytes; }

 private:
  [[gnu::noinline]] static std::uintptr_t here() {
    return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  }
  static inline std::uintptr_t base_ = 0;
  static inline std::size_t deepest_ = 0;
  static inline int measured_ = 0;
};

/// Measures where it is destroyed.
struct Gauge {
  Gauge() = default;
  Gauge(const Gauge&) = delete;
  Gauge& operator=(const Gauge&) = delete;
  ~Gauge() { StackGauge::measure(); }
};

Coro<int> leaf() {
  StackGauge::measure();
  co_return 1;
}

Coro<int> looped(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await leaf();
  co_return sum;
}

Coro<int> recursive(int count) {
  StackGauge::measure();  // On the way down, and on the way back.
  int below = 0;
  if (count > 1) below = co_await recursive(count - 1);
  StackGauge::measure();
  co_return below + 1;
}

Coro<int> looped_asynchronously(Future<> start, int count) {
  co_await start;
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    co_await weir::sleep(std::chrono::seconds(0));
    sum += co_await leaf();
  }
  co_return sum;
}

/// `count` coroutines deep, it waits for `future`; every level measures when it is left.
Coro<int> suspended(int count, Future<> future) {
  const Gauge gauge;
  int below = 0;
  if (count > 1) {
    below = co_await suspended(count - 1, std::move(future));
  } else {
    co_await future;
  }
  co_return below + 1;
}

}  // namespace

TEST_SUITE("reactor/task/coro_stack") {
  TEST_CASE("B78: a million awaits in a loop stay flat") {
    TestLoop test;
    StackGauge::reset();
    const Task<int> task = test.loop.create_task(looped(many));
    test.settle();
    CHECK(task.result() == many);
    CHECK(StackGauge::stayed_flat(many));
  }

  TEST_CASE("stack: a million awaits in a loop that suspends each time stay flat") {
    TestLoop test;
    StackGauge::reset();
    const Future<> start(test.loop);
    const Task<int> task = test.loop.create_task(looped_asynchronously(start, many));
    start.set_result();
    test.settle();
    CHECK(task.result() == many);
    CHECK(StackGauge::stayed_flat(many));
  }

  TEST_CASE("stack: a million awaits inside each other stay flat") {
    TestLoop test;
    StackGauge::reset();
    const Task<int> task = test.loop.create_task(recursive(many));
    test.settle();
    CHECK(task.result() == many);
    CHECK(StackGauge::stayed_flat(2 * many));
  }

  TEST_CASE("B78: a million awaits inside each other that end later stay flat") {
    TestLoop test;
    const Future<> future(test.loop);
    const Task<int> task = test.loop.create_task(suspended(many, future));
    test.settle();
    StackGauge::reset();
    future.set_result();
    test.settle();
    CHECK(task.result() == many);
    CHECK(StackGauge::stayed_flat(many));
  }

  TEST_CASE("stack: an exception through a million levels stays flat") {
    TestLoop test;
    const Future<> future(test.loop);
    const Task<int> task = test.loop.create_task(suspended(many, future));
    test.settle();
    StackGauge::reset();
    future.set_exception(std::out_of_range("far"));
    test.settle();
    CHECK_THROWS_AS(task.result(), std::out_of_range);
    CHECK(StackGauge::stayed_flat(many));
  }

  TEST_CASE("stack: cancelling a chain of a million levels stays flat") {
    TestLoop test;
    const Task<int> task = test.loop.create_task(suspended(many, Future<>(test.loop)));
    test.settle();
    StackGauge::reset();
    task.cancel();
    test.settle();
    CHECK(task.cancelled());
    CHECK(StackGauge::stayed_flat(many));
  }

  TEST_CASE("stack: a loop that closes ends a chain of a million levels flat") {
    StackGauge::reset();
    {
      TestLoop test;
      test.loop.create_task(suspended(many, Future<>(test.loop)));
      test.settle();
      StackGauge::reset();
    }
    CHECK(StackGauge::stayed_flat(many));
  }

  TEST_CASE("B85: a chain of a million levels that will not be cancelled is destroyed flat") {
    const auto refuses = [](Future<> future) -> Coro<int> {
      for (;;) {
        try {
          co_await suspended(1, future);
        } catch (const CancelledError&) {
          future = Future<>(future.get_loop());
        }
      }
    };
    struct Deep {
      static Coro<int> over(int count, Coro<int> innermost) {
        const Gauge gauge;
        if (count > 1) co_return co_await over(count - 1, std::move(innermost));
        co_return co_await std::move(innermost);
      }
    };
    {
      TestLoop test;
      test.loop.create_task(Deep::over(many, refuses(Future<>(test.loop))));
      test.settle();
      StackGauge::reset();
      test.loop.close();
      CHECK(test.take_reports().size() == 1);
    }
    CHECK(StackGauge::stayed_flat(many + 2));
  }

  TEST_CASE("stack: cancelling a chain of a hundred thousand tasks stays flat") {
    TestLoop test;
    struct Chain {
      static Coro<> waits(Task<> inner) {
        const Gauge gauge;
        co_await inner;
      }
    };
    const auto sleeps = []() -> Coro<> { co_await weir::sleep(std::chrono::hours(1)); };
    Task<> task = test.loop.create_task(sleeps());
    for (int i = 0; i < many / 10; ++i) task = test.loop.create_task(Chain::waits(std::move(task)));
    test.settle();
    StackGauge::reset();
    task.cancel();
    test.settle();
    CHECK(task.cancelled());
    CHECK(StackGauge::stayed_flat(many / 10));
  }
}
