// SPDX-License-Identifier: MIT
//
// run_in_executor() with real threads: what ThreadSanitizer and AddressSanitizer should look at.
// Its rules are tested, without threads, in tests/reactor/test_run_in_executor.cpp.

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/executor.hpp>
#include <weir/reactor/task/run_in_executor.hpp>
#include <weir/reactor/task/run_until_complete.hpp>

using weir::EventLoop;
using weir::Executor;
using weir::Future;

namespace {

/// Lets a job begin, and wait until the test says so.
class Gate {
 public:
  void pass() {
    entered_.store(true);
    entered_.notify_all();
    open_.wait(false);
  }
  void await_entry() { entered_.wait(false); }
  void open() {
    open_.store(true);
    open_.notify_all();
  }

 private:
  std::atomic<bool> entered_ = false;
  std::atomic<bool> open_ = false;
};

}  // namespace

TEST_SUITE("system/run_in_executor_threads" * doctest::timeout(10)) {
  TEST_CASE("threads: results and exceptions of many jobs come back to the loop's thread") {
    EventLoop loop;
    const std::thread::id loop_thread = std::this_thread::get_id();
    std::vector<Future<std::string>> futures;
    for (int i = 0; i < 200; ++i) {
      futures.push_back(loop.run_in_executor([i, loop_thread] {
        if (std::this_thread::get_id() == loop_thread) throw std::logic_error("the loop's thread");
        if (i % 3 == 0) throw std::out_of_range(std::to_string(i));
        return std::string(100, 'x') + std::to_string(i);
      }));
    }
    int right = 0;
    for (int i = 0; i < 200; ++i) {
      const std::string number = std::to_string(i);
      try {
        const std::string text = loop.run_until_complete(futures[static_cast<std::size_t>(i)]);
        if (i % 3 != 0 && text == std::string(100, 'x') + number) ++right;
      } catch (const std::out_of_range& error) {
        if (i % 3 == 0 && error.what() == number) ++right;
      }
    }
    CHECK(right == 200);
    loop.close();
  }

  TEST_CASE("B79: what a job holds is destroyed on the loop's thread") {
    struct SaysWhere {
      explicit SaysWhere(std::thread::id* into) : destroyed_on(into) {}
      SaysWhere(SaysWhere&& other) noexcept
          : destroyed_on(std::exchange(other.destroyed_on, nullptr)) {}
      ~SaysWhere() {
        if (destroyed_on != nullptr) *destroyed_on = std::this_thread::get_id();
      }
      std::thread::id* destroyed_on;
    };
    EventLoop loop;
    std::thread::id destroyed_on;
    const auto future = loop.run_in_executor([held = SaysWhere(&destroyed_on)] { return 7; });
    CHECK(loop.run_until_complete(future) == 7);
    loop.close();
    CHECK(destroyed_on == std::this_thread::get_id());
  }

  TEST_CASE("threads: cancelled while it runs, a job is not interrupted, and its result dropped") {
    EventLoop loop;
    Gate gate;
    std::atomic<bool> ended = false;
    const auto future = loop.run_in_executor([&] {
      gate.pass();
      ended.store(true);
      return std::make_unique<int>(7);
    });
    gate.await_entry();
    CHECK(future.cancel());
    gate.open();
    const auto next = loop.run_in_executor([] { return 8; });
    CHECK(loop.run_until_complete(next) == 8);
    while (!loop.owned().empty()) {
      loop.stop();
      loop.run_forever();
    }
    CHECK(future.cancelled());
    CHECK(ended.load());
    loop.close();
  }

  TEST_CASE("threads: a loop that closes waits for no job, and the job finds nobody") {
    Gate gate;
    std::atomic<bool> ended = false;
    std::optional<Future<std::string>> future;
    {
      EventLoop loop;
      future = loop.run_in_executor([&] {
        gate.pass();
        ended.store(true);
        return std::string(100, 'x');
      });
      gate.await_entry();
      loop.close();
      CHECK_FALSE(ended.load());
      CHECK(future->cancelled());
      gate.open();
    }  // The loop's threads are joined here.
    CHECK(ended.load());
  }

  TEST_CASE("threads: jobs that end while the loop closes lose their results, and nothing else") {
    for (int round = 0; round < 50; ++round) {
      std::atomic<int> ran = 0;
      const std::unique_ptr<Executor> executor = weir::make_thread_pool(4);
      {
        EventLoop loop;
        for (int i = 0; i < 20; ++i) {
          loop.run_in_executor(*executor, [&ran] { return std::make_unique<int>(++ran); });
        }
        loop.stop();
        loop.run_forever();
        loop.close();
      }
      executor->shutdown(true);
      CHECK(ran.load() <= 20);
    }
  }
}
