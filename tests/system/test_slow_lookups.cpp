// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netdb.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include <weir/net/resolver.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/task/run_in_executor.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>

using namespace weir;

namespace {

/// The real one, but no name is found before the test says so.
class SlowNames final : public CountingKernel {
 public:
  SlowNames() : CountingKernel(Kernel::posix()) {}

  int getaddrinfo(const char* host, const char*, const addrinfo*, addrinfo**, int*) override {
    std::unique_lock lock(mutex_);
    ++lookups_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return answers_; });
    asked.emplace_back(host);
    return EAI_AGAIN;
  }
  /// Until so many of them have begun.
  void await_lookups(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [=, this] { return lookups_ >= count; });
  }
  void answer() {
    {
      const std::lock_guard lock(mutex_);
      answers_ = true;
    }
    changed_.notify_all();
  }

  std::vector<std::string> asked;  // To be read when all threads have ended.

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool answers_ = false;
  int lookups_ = 0;
};

}  // namespace

TEST_SUITE_BEGIN("system/slow_lookups" * doctest::timeout(10));

// node#8436, libuv#28: DNS that fills the pool of which everybody lives.
TEST_CASE("B36: lookups that never end hold up no other job, and are cancelled at once") {
  SlowNames kernel;
  EventLoop loop(kernel);
  std::vector<Task<std::vector<AddressInfo>>> lookups;
  for (int i = 0; i < 200; ++i) {
    lookups.push_back(loop.create_task(getaddrinfo("slow.example", 80)));
  }
  // The first of these lets all lookups begin.
  for (int i = 0; i < 100; ++i) {
    CHECK(loop.run_until_complete(loop.run_in_executor([i] { return i; })) == i);
  }
  for (const auto& lookup : lookups) {
    REQUIRE_FALSE(lookup.done());
    lookup.cancel();
  }
  loop.stop();
  loop.run_forever();
  loop.stop();
  loop.run_forever();
  for (const auto& lookup : lookups) CHECK(lookup.cancelled());
  kernel.answer();
  loop.close();
}

// libevent 4db15e09, 61262a0f: the answer is for somebody who is gone.
TEST_CASE("B37: a lookup that is cancelled while it runs has its own copy of the name") {
  const std::string name = "a-name-that-needs-memory-of-its-own.example";
  SlowNames kernel;
  {
    EventLoop loop(kernel);
    for (int i = 0; i < 3; ++i) {
      const auto lookup = loop.create_task(getaddrinfo(name, 80));
      while (kernel.count(Call::executor_submit) <= static_cast<std::uint64_t>(i)) {
        loop.stop();
        loop.run_forever();
      }
      kernel.await_lookups(i + 1);
      lookup.cancel();
      loop.stop();
      loop.run_forever();
      CHECK(lookup.cancelled());
    }
    kernel.answer();
    loop.close();
  }
  CHECK(kernel.asked == std::vector<std::string>(3, name));
}

TEST_SUITE_END();
