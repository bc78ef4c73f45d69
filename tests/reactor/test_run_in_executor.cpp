// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/executor.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/run_in_executor.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/support/task_fixture.hpp>

using weir::Call;
using weir::CancelledError;
using weir::Coro;
using weir::Executor;
using weir::Future;
using weir::RuntimeError;
using weir::Task;
using weir::test::Alive;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

/// Runs a job as soon as it gets it, or when told to: threads that are very fast, or slow.
class ByHand final : public Executor {
 public:
  explicit ByHand(bool at_once) : at_once_(at_once) {}
  void submit(weir::Callback job) override {
    jobs_.push_back(std::move(job));
    if (at_once_) run();
  }
  void shutdown(bool) override { jobs_.clear(); }
  void run() {
    for (weir::Callback& job : std::exchange(jobs_, {})) job();
  }

 private:
  bool at_once_;
  std::vector<weir::Callback> jobs_;
};

}  // namespace

TEST_SUITE("reactor/task/run_in_executor") {
  // llvm-project#56301: a thread that resumes a coroutine whose await_suspend() has not returned
  // runs on a frame that is still written to.
  TEST_CASE("B79: a job that ends before its await has suspended is heard of in a later pass") {
    for (const bool at_once : {true, false}) {
      CAPTURE(at_once);
      TestLoop test;
      ByHand executor(at_once);
      std::string order;
      const auto awaits = [](ByHand* its, std::string* trace) -> Coro<> {
        const Future<int> job = weir::get_running_loop().run_in_executor(*its, [trace] {
          *trace += "job ";
          return 7;
        });
        its->run();
        *trace += job.done() ? "done " : "pending ";
        *trace += std::to_string(co_await job);
      };
      const Task<> task = test.loop.create_task(awaits(&executor, &order));
      test.pass();
      CHECK(order == "job pending ");
      test.pass();  // The letter that the job has sent.
      test.settle();
      CHECK(order == "job pending 7");
      CHECK(task.done());
    }
  }

  // CPython: test_events.py test_run_in_executor
  TEST_CASE("run_in_executor: the future gets what the function returns") {
    TestLoop test;
    int calls = 0;
    const auto number = test.loop.run_in_executor([] { return 7; });
    const auto owned = test.loop.run_in_executor([] { return std::make_unique<int>(8); });
    const auto nothing = test.loop.run_in_executor([&calls] { ++calls; });
    CHECK(calls == 0);
    CHECK(test.loop.run_until_complete(number) == 7);
    CHECK(*test.loop.run_until_complete(owned) == 8);
    test.loop.run_until_complete(nothing);
    CHECK(calls == 1);
  }

  // CPython: test_futures.py test_wrap_future_use_running_loop
  TEST_CASE("run_in_executor: inside a coroutine, the future belongs to the running loop") {
    TestLoop test;
    const auto starts_a_job = []() -> Coro<weir::EventLoop*> {
      const Future<int> job = weir::get_running_loop().run_in_executor([] { return 7; });
      co_await job;
      co_return &job.get_loop();
    };
    CHECK(test.loop.run_until_complete(starts_a_job()) == &test.loop);
  }

  TEST_CASE("run_in_executor: the future throws what the function throws") {
    TestLoop test;
    const auto future = test.loop.run_in_executor([]() -> int { throw std::out_of_range("far"); });
    CHECK_THROWS_WITH_AS(test.loop.run_until_complete(future), "far", std::out_of_range);
  }

  TEST_CASE("run_in_executor: a reference that the function returns becomes a value") {
    TestLoop test;
    const std::string text = "text";
    const auto future = test.loop.run_in_executor([&]() -> const std::string& { return text; });
    CHECK(test.loop.run_until_complete(future) == "text");
  }

  TEST_CASE("run_in_executor: a result that cannot be moved here is a failure of the future") {
    struct Heavy {
      explicit Heavy(int moves) : moves_left(moves) {}
      Heavy(Heavy&& other) : moves_left(other.moves_left - 1) {
        if (moves_left < 0) throw std::out_of_range("too far");
      }
      int moves_left;
    };
    for (int moves = 0; moves < 4; ++moves) {
      TestLoop test;
      const auto future = test.loop.run_in_executor([moves] { return Heavy(moves); });
      test.pass(4);
      REQUIRE(future.done());
      if (future.exception()) CHECK_THROWS_AS(future.result(), std::out_of_range);
      CHECK(test.loop.owned().empty());
    }
  }

  TEST_CASE("run_in_executor: jobs run in the order they were given") {
    TestLoop test;
    std::string trace;
    test.kernel.set_jobs_per_wait(1);
    std::vector<Future<>> futures;
    for (const char letter : {'a', 'b', 'c'}) {
      futures.push_back(test.loop.run_in_executor([&trace, letter] { trace += letter; }));
    }
    test.loop.run_until_complete(futures.back());
    CHECK(trace == "abc");
  }

  TEST_CASE("run_in_executor: what the function holds is gone when the future is done") {
    const int before = Alive::count;
    TestLoop test;
    const auto future = test.loop.run_in_executor([alive = Alive()] { return 7; });
    CHECK(Alive::count == before + 1);
    CHECK(test.loop.run_until_complete(future) == 7);
    test.settle();
    CHECK(Alive::count == before);
    CHECK(test.loop.owned().empty());
  }

  TEST_CASE(
      "run_in_executor: with the future forgotten, the job runs, and its failure is reported") {
    TestLoop test;
    test.loop.run_in_executor([]() -> int { throw std::out_of_range("far"); });
    test.pass(4);
    const auto reports = test.take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "Future exception was never retrieved");
  }

  TEST_CASE("cancel: before it starts, the function never runs and is destroyed") {
    const int before = Alive::count;
    TestLoop test;
    test.kernel.set_jobs_per_wait(0);
    int calls = 0;
    const auto future = test.loop.run_in_executor([&calls, alive = Alive()] { ++calls; });
    test.pass();
    CHECK(future.cancel());
    test.settle();
    test.kernel.set_jobs_per_wait(1);
    test.pass(4);
    CHECK(test.kernel.queued_jobs() == 0);
    CHECK(calls == 0);
    CHECK(future.cancelled());
    CHECK(Alive::count == before);
    CHECK(test.loop.owned().empty());
  }

  TEST_CASE("cancel: while it runs, what it returns is dropped") {
    TestLoop test;
    std::optional<Future<int>> future;
    future = test.loop.run_in_executor([&future] {
      future->cancel();  // On this kernel, the thread is the loop's own.
      return 7;
    });
    test.pass(4);
    CHECK(future->cancelled());
    CHECK(test.loop.owned().empty());
  }

  TEST_CASE("cancel: of a task that waits for a job cancels the job's future") {
    TestLoop test;
    test.kernel.set_jobs_per_wait(0);
    int calls = 0;
    const auto future = test.loop.run_in_executor([&calls] { ++calls; });
    const Task<> task = test.loop.create_task(future);
    test.pass();
    task.cancel();
    test.settle();
    CHECK(task.cancelled());
    CHECK(future.cancelled());
    test.kernel.set_jobs_per_wait(1);
    test.pass(3);
    CHECK(calls == 0);
  }

  TEST_CASE("closing: a job that waits is dropped unrun, and its future cancelled") {
    const int before = Alive::count;
    TestLoop test;
    test.kernel.set_jobs_per_wait(0);
    int calls = 0;
    const auto future = test.loop.run_in_executor([&calls, alive = Alive()] { ++calls; });
    test.pass();
    test.loop.close();
    CHECK(future.cancelled());
    CHECK(calls == 0);
    CHECK(Alive::count == before);
    CHECK(test.kernel.queued_jobs() == 0);
  }

  TEST_CASE(
      "closing: a job of another executor that runs afterwards finds nobody, and says nothing") {
    TestLoop other;  // Its kernel's executor outlives the loop under test.
    const auto executor = other.kernel.make_executor(1);
    int calls = 0;
    std::optional<Future<int>> future;
    {
      TestLoop test;
      future = test.loop.run_in_executor(*executor, [&calls] { return ++calls; });
      test.pass();
    }
    other.pass();
    CHECK(future->cancelled());
  }

  TEST_CASE("executor: a job that it drops cancels the future") {
    const int before = Alive::count;
    TestLoop test;
    test.kernel.set_jobs_per_wait(0);
    const auto executor = test.kernel.make_executor(1);
    int calls = 0;
    const auto future =
        test.loop.run_in_executor(*executor, [&calls, alive = Alive()] { ++calls; });
    test.pass();
    executor->shutdown(false);
    test.pass(4);
    CHECK(future.cancelled());
    CHECK(calls == 0);
    CHECK(Alive::count == before);
    CHECK(test.loop.owned().empty());
  }

  TEST_CASE("executor: a job cancelled first and dropped then leaves nothing behind") {
    const int before = Alive::count;
    TestLoop test;
    test.kernel.set_jobs_per_wait(0);
    const auto executor = test.kernel.make_executor(1);
    {
      const auto future = test.loop.run_in_executor(*executor, [alive = Alive()] {});
      future.cancel();
    }
    test.pass();
    executor->shutdown(false);
    test.loop.close();
    CHECK(Alive::count == before);
  }

  TEST_CASE("executor: one that was shut down refuses, and nothing is left waiting") {
    const int before = Alive::count;
    TestLoop test;
    const auto executor = test.kernel.make_executor(1);
    executor->shutdown(false);
    CHECK_THROWS_WITH_AS(test.loop.run_in_executor(*executor, [alive = Alive()] {}),
                         "cannot schedule new futures after shutdown", RuntimeError);
    test.pass();
    CHECK(Alive::count == before);
    CHECK(test.loop.owned().empty());
  }

  TEST_CASE("executor: a system without another thread refuses") {
    TestLoop test;
    test.kernel.script(Call::executor_submit, {.error = EAGAIN});
    CHECK_THROWS_WITH_AS(test.loop.run_in_executor([] {}), "can't start new thread", RuntimeError);
    CHECK(test.loop.owned().empty());
  }

  TEST_CASE("run_in_executor: a closed loop refuses") {
    TestLoop test;
    test.loop.close();
    CHECK_THROWS_WITH_AS(test.loop.run_in_executor([] {}), "Event loop is closed", RuntimeError);
  }
}
