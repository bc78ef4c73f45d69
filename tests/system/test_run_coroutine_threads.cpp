// SPDX-License-Identifier: MIT
// Coroutines that another thread asks for, on a real loop.

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/run_coroutine_threadsafe.hpp>
#include <weir/reactor/task/sleep.hpp>

using weir::ConcurrentFuture;
using weir::Coro;
using weir::EventLoop;
using weir::run_coroutine_threadsafe;
using namespace std::chrono_literals;

namespace {

/// A loop that a thread of its own drives.
class LoopThread {
 public:
  LoopThread() : thread_([this] { loop.run_forever(); }) {}
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  ~LoopThread() {
    loop.call_soon_threadsafe([this] { loop.stop(); });
    thread_.join();
    loop.close();
  }
  EventLoop loop;

 private:
  std::thread thread_;
};

Coro<std::string> echoes(std::string text) {
  co_await weir::sleep(0s);
  if (text.ends_with('!')) throw std::out_of_range(text);
  co_return text + text;
}

Coro<> sleeps() { co_await weir::sleep(1h); }

}  // namespace

TEST_SUITE("system/run_coroutine_threads" * doctest::timeout(10)) {
  TEST_CASE("threads: many of them get the results and exceptions of their coroutines") {
    LoopThread driven;
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const std::string text = std::to_string(t * 50 + i) + (i % 3 == 0 ? "!" : ".");
          const auto future = run_coroutine_threadsafe(echoes(text), driven.loop);
          try {
            if (future.result() == text + text) ++right;
          } catch (const std::out_of_range& error) {
            if (i % 3 == 0 && error.what() == text) ++right;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(right.load() == 200);
  }

  TEST_CASE("threads: a wait ends when the time is up, when cancelled, and when the loop closes") {
    std::vector<ConcurrentFuture<void>> futures;
    std::thread waiter;
    std::atomic<bool> ended = false;
    {
      LoopThread driven;
      for (int i = 0; i < 2; ++i) {
        futures.push_back(run_coroutine_threadsafe(sleeps(), driven.loop));
      }
      CHECK_THROWS_AS(futures[0].result(1ms), weir::TimeoutError);
      CHECK(futures[0].cancel());
      CHECK_THROWS_AS(futures[0].result(), weir::CancelledError);
      waiter = std::thread([&] {
        try {
          futures[1].result();
        } catch (const weir::CancelledError&) {
          ended.store(true);
        }
      });
    }
    waiter.join();
    CHECK(ended.load());
  }
}
