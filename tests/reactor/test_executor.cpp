// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <latch>
#include <memory>
#include <mutex>
#include <semaphore>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/executor.hpp>

using weir::make_thread_pool;

namespace {

/// Notes the thread on which it is destroyed.
class LastWill {
 public:
  explicit LastWill(std::thread::id& heir) : heir_(&heir) {}
  LastWill(LastWill&& other) noexcept : heir_(std::exchange(other.heir_, nullptr)) {}
  LastWill& operator=(LastWill&&) = delete;
  ~LastWill() {
    if (heir_ != nullptr) *heir_ = std::this_thread::get_id();
  }

 private:
  std::thread::id* heir_;
};

std::ptrdiff_t threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

/// While it lives, the system cannot find room for the stack of a new thread.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, std::size_t{1} << 60U);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  NoMoreThreads(const NoMoreThreads&) = delete;
  NoMoreThreads& operator=(const NoMoreThreads&) = delete;
  ~NoMoreThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};

}  // namespace

TEST_SUITE_BEGIN("reactor/executor");

TEST_CASE("make_thread_pool: no threads at all is a ValueError in asyncio's words" *
          doctest::timeout(10)) {
  CHECK_THROWS_WITH_AS(make_thread_pool(0), "max_workers must be greater than 0", weir::ValueError);
}

TEST_CASE("default_max_threads: between 5 and 32" * doctest::timeout(10)) {
  CHECK(weir::default_max_threads() >= 5);
  CHECK(weir::default_max_threads() <= 32);
}

TEST_CASE("ThreadPool: a job runs on another thread" * doctest::timeout(10)) {
  std::thread::id runner;
  std::latch done(1);
  const auto pool = make_thread_pool(1);
  pool->submit([&] {
    runner = std::this_thread::get_id();
    done.count_down();
  });
  done.wait();
  CHECK(runner != std::this_thread::get_id());
}

TEST_CASE("ThreadPool: one thread runs the jobs in the order of submission" *
          doctest::timeout(10)) {
  std::vector<int> order;
  std::latch done(100);
  const auto pool = make_thread_pool(1);
  for (int i = 0; i < 100; ++i) {
    pool->submit([&order, &done, i] {
      order.push_back(i);
      done.count_down();
    });
  }
  done.wait();
  CHECK(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("ThreadPool: as many jobs as threads run side by side" * doctest::timeout(10)) {
  std::latch all_here(4);  // Nobody passes unless four run at once.
  const auto pool = make_thread_pool(4);
  for (int i = 0; i < 4; ++i) pool->submit([&all_here] { all_here.arrive_and_wait(); });
  all_here.wait();
  CHECK(all_here.try_wait());
}

TEST_CASE("ThreadPool: no more threads than asked for, however many jobs" * doctest::timeout(10)) {
  std::mutex mutex;
  std::set<std::thread::id> runners;
  std::atomic<int> at_once = 0;
  std::atomic<int> most_at_once = 0;
  std::latch done(200);
  const auto pool = make_thread_pool(3);
  for (int i = 0; i < 200; ++i) {
    pool->submit([&] {
      const int now = ++at_once;
      for (int most = most_at_once; most < now && !most_at_once.compare_exchange_weak(most, now);) {
      }
      {
        const std::lock_guard lock(mutex);
        runners.insert(std::this_thread::get_id());
      }
      --at_once;
      done.count_down();
    });
  }
  done.wait();
  CHECK(runners.size() <= 3);
  CHECK(most_at_once.load() <= 3);
}

TEST_CASE("ThreadPool: an idle thread is used before a new one starts" * doctest::timeout(10)) {
  std::set<std::thread::id> runners;
  constexpr std::size_t jobs = 100;
  const auto pool = make_thread_pool(jobs);
  for (std::size_t i = 0; i < jobs; ++i) {
    std::latch done(1);
    pool->submit([&] {
      runners.insert(std::this_thread::get_id());
      done.count_down();
    });
    done.wait();
  }
  CHECK(runners.size() < jobs);  // One would do, if every thread were idle again in no time.
}

TEST_CASE("ThreadPool: no thread starts before the first job" * doctest::timeout(10)) {
  const std::ptrdiff_t before = threads_of_this_process();
  const auto pool = make_thread_pool(8);
  CHECK(threads_of_this_process() <= before);  // Fewer: joined ones may take a moment to vanish.
}

TEST_CASE("ThreadPool: jobs that run keep their number, shutdown drops those that wait" *
          doctest::timeout(10)) {
  std::latch started(1);
  std::binary_semaphore go(0);
  std::atomic<int> ran = 0;
  std::thread::id heir;
  const auto pool = make_thread_pool(1);
  pool->submit([&] {
    started.count_down();
    go.acquire();
    ++ran;
  });
  started.wait();
  pool->submit([&ran, will = LastWill(heir)] { ++ran; });
  pool->shutdown(false);
  CHECK(heir == std::this_thread::get_id());
  go.release();
  pool->shutdown(true);
  CHECK(ran.load() == 1);
}

TEST_CASE("ThreadPool: a job that has run is destroyed on its own thread" * doctest::timeout(10)) {
  std::thread::id runner;
  std::thread::id heir;
  {
    const auto pool = make_thread_pool(1);
    std::latch done(1);
    pool->submit([&runner, &done, will = LastWill(heir)] {
      runner = std::this_thread::get_id();
      done.count_down();
    });
    done.wait();
  }
  CHECK(heir == runner);
}

TEST_CASE("ThreadPool: shutdown with wait returns after the running job" * doctest::timeout(10)) {
  std::latch started(1);
  bool ended = false;  // Not atomic: only the join makes it safe to read.
  const auto pool = make_thread_pool(1);
  pool->submit([&] {
    started.count_down();
    ended = true;
  });
  started.wait();
  pool->shutdown(true);
  CHECK(ended);
}

TEST_CASE("ThreadPool: the destructor waits for the running job" * doctest::timeout(10)) {
  std::latch started(1);
  bool ended = false;
  {
    const auto pool = make_thread_pool(1);
    pool->submit([&] {
      started.count_down();
      ended = true;
    });
    started.wait();
  }
  CHECK(ended);
}

TEST_CASE("ThreadPool: after shutdown a job is refused in asyncio's words" * doctest::timeout(10)) {
  const auto pool = make_thread_pool(1);
  pool->shutdown(false);
  CHECK_THROWS_WITH_AS(pool->submit([] {}), "cannot schedule new futures after shutdown",
                       weir::RuntimeError);
  CHECK_NOTHROW(pool->shutdown(true));
}

TEST_CASE("ThreadPool: its threads take no signals, and the mask of ours is as before" *
          doctest::timeout(10)) {
  sigset_t before;
  sigset_t after;
  sigset_t theirs;
  pthread_sigmask(SIG_BLOCK, nullptr, &before);
  std::latch done(1);
  const auto pool = make_thread_pool(1);
  pool->submit([&] {
    pthread_sigmask(SIG_BLOCK, nullptr, &theirs);
    done.count_down();
  });
  done.wait();
  pthread_sigmask(SIG_BLOCK, nullptr, &after);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1, SIGALRM, SIGPIPE}) {
    CAPTURE(number);
    CHECK(sigismember(&theirs, number) == 1);
    CHECK(sigismember(&after, number) == sigismember(&before, number));
  }
}

TEST_CASE("ThreadPool: without a first thread the job is refused and destroyed" *
          doctest::timeout(10)) {
  const auto pool = make_thread_pool(2);
  auto token = std::make_shared<int>(0);
  bool ran = false;
  {
    const NoMoreThreads none;
    CHECK_THROWS_WITH_AS(pool->submit([&ran, token] { ran = true; }), "can't start new thread",
                         weir::RuntimeError);
  }
  CHECK(token.use_count() == 1);
  std::latch done(1);
  pool->submit([&done] { done.count_down(); });
  done.wait();
  CHECK_FALSE(ran);
}

TEST_CASE("ThreadPool: without a second thread the job waits for the first" *
          doctest::timeout(10)) {
  std::latch started(1);
  std::binary_semaphore go(0);
  std::latch done(1);
  const auto pool = make_thread_pool(2);
  pool->submit([&] {
    started.count_down();
    go.acquire();
  });
  started.wait();
  {
    const NoMoreThreads none;
    CHECK_NOTHROW(pool->submit([&done] { done.count_down(); }));
  }
  CHECK_FALSE(done.try_wait());
  go.release();
  done.wait();
  CHECK(done.try_wait());
}

// libuv daf04e83c, tokio f21f2693f: jobs that a pool loses, or runs twice, while it ends.
TEST_CASE("B24: of 100 000 jobs each runs or is dropped, and once, when the pool ends midway") {
  constexpr std::size_t jobs = 100'000;
  std::vector<std::atomic<int>> runs(jobs);
  std::atomic<std::size_t> destroyed = 0;
  std::atomic<bool> may_go_on = false;
  const auto pool = make_thread_pool(4);
  for (std::size_t i = 0; i < jobs; ++i) {
    std::shared_ptr<void> guard(nullptr, [&](void*) { ++destroyed; });
    pool->submit([&, i, held = std::move(guard)] {
      if (i % 100 == 0) may_go_on.wait(false);  // So that all but a few wait when the pool ends.
      ++runs[i];
    });
  }
  pool->shutdown(false);
  may_go_on = true;
  may_go_on.notify_all();
  pool->shutdown(true);
  CHECK(destroyed == jobs);
  CHECK(std::count_if(runs.begin(), runs.end(), [](const auto& its) { return its > 1; }) == 0);
}

TEST_SUITE_END();
