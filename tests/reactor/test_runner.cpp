// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <signal.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/runner.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/support/task_fixture.hpp>

using weir::CancelledError;
using weir::Coro;
using weir::Delay;
using weir::EventLoop;
using weir::ExceptionContext;
using weir::FakeKernel;
using weir::Future;
using weir::get_running_loop;
using weir::KeyboardInterrupt;
using weir::OSError;
using weir::RuntimeError;
using weir::Task;
using weir::test::Alive;
using weir::test::cancel_message_of;
using weir::test::TestLoop;
using namespace std::chrono_literals;

namespace {

using Reports = std::vector<ExceptionContext>;

void collect_into(Reports* reports) {
  get_running_loop().set_exception_handler(
      [reports](EventLoop&, const ExceptionContext& report) { reports->push_back(report); });
}

template <class T>
Coro<T> gives(T value) {
  co_return value;
}

template <class E>
Coro<int> throws(E error) {
  co_await weir::sleep(0s);
  throw error;
}

/// On cancellation takes a second to write that it has cleaned up.
Coro<> cleans_up(std::string* trace) {
  bool cancelled = false;
  try {
    co_await weir::sleep(1h);
  } catch (const CancelledError&) {
    cancelled = true;
  }
  co_await weir::sleep(1s);
  *trace += "clean";
  if (cancelled) throw CancelledError();
}

template <class E>
Coro<> throws_on_cancel(E error) {
  bool cancelled = false;
  try {
    co_await weir::sleep(1h);
  } catch (const CancelledError&) {
    cancelled = true;
  }
  if (cancelled) throw error;
}

/// Starts `leftover`, lets it come to its first await, and ends.
Coro<int> leaves(Coro<> leftover, Reports* reports) {
  collect_into(reports);
  weir::create_task(std::move(leftover), "leftover");
  co_await weir::sleep(0s);
  co_return 7;
}

/// Raises SIGINT once the loop waits.
template <class T>
Coro<T> interrupted(FakeKernel* kernel, T value) {
  get_running_loop().call_later(1s, [kernel] { kernel->raise_signal(SIGINT); });
  co_await weir::sleep(1h);
  co_return value;
}

Coro<int> swallows_interrupt(FakeKernel* kernel) {
  int result = 0;
  try {
    result = co_await interrupted(kernel, 1);
  } catch (const CancelledError&) {
    result = 7;
  }
  co_return result;
}

int interrupts_seen = 0;
void count_interrupt(int) { ++interrupts_seen; }

}  // namespace

TEST_SUITE("reactor/task/runner") {
  // CPython: test_runners.py test_asyncio_run_return
  TEST_CASE("run: gives main's value, and 0 for none") {
    FakeKernel kernel;
    const auto nothing = []() -> Coro<> { co_return; };
    CHECK(weir::run(gives(7), kernel) == 7);
    CHECK(weir::run(nothing(), kernel) == 0);
    CHECK(weir::run(gives(std::string("text")), kernel) == "text");
    CHECK(*weir::run(gives(std::make_unique<int>(8)), kernel) == 8);
  }

  // CPython: test_runners.py test_asyncio_run_raises
  TEST_CASE("run: throws what main throws, a cancellation of its own making too") {
    FakeKernel kernel;
    CHECK_THROWS_WITH_AS(weir::run(throws(std::out_of_range("far")), kernel), "far",
                         std::out_of_range);
    CHECK(cancel_message_of([&] { weir::run(throws(CancelledError("own")), kernel); }) == "own");
  }

  TEST_CASE("run: Ctrl-C that main throws comes out, and is not reported") {
    FakeKernel kernel;
    Reports reports;
    const auto interrupts = [](Reports* into) -> Coro<> {
      collect_into(into);
      co_await weir::sleep(0s);
      throw KeyboardInterrupt();
    };
    CHECK_THROWS_AS(weir::run(interrupts(&reports), kernel), KeyboardInterrupt);
    CHECK(reports.empty());
  }

  // CPython: test_runners.py test_asyncio_run_from_running_loop
  TEST_CASE("run: inside a running loop it is refused, and main is destroyed unrun") {
    const int before = Alive::count;
    TestLoop test;
    std::string error;
    const auto holds = [](Alive) -> Coro<> { co_return; };
    test.loop.call_soon([&] {
      try {
        weir::run(holds(Alive()), test.kernel);
      } catch (const RuntimeError& refused) {
        error = refused.what();
      }
    });
    test.settle();
    CHECK(error == "asyncio.run() cannot be called from a running event loop");
    CHECK(Alive::count == before);
  }

  TEST_CASE("run: closes its loop") {
    FakeKernel kernel;
    const auto keeps = [](std::optional<Future<int>>* slot) -> Coro<> {
      *slot = get_running_loop().create_future<int>();
      co_return;
    };
    std::optional<Future<int>> future;
    weir::run(keeps(&future), kernel);
    CHECK_THROWS_WITH_AS(future->get_loop(), "Event loop is closed", RuntimeError);
    CHECK_THROWS_WITH_AS(get_running_loop(), "no running event loop", RuntimeError);
  }

  // CPython: test_runners.py test_asyncio_run_cancels_hanging_tasks
  TEST_CASE("leftovers: cancelled and waited for, and silent if they end so") {
    FakeKernel kernel;
    Reports reports;
    std::string trace;
    CHECK(weir::run(leaves(cleans_up(&trace), &reports), kernel) == 7);
    CHECK(trace == "clean");
    CHECK(kernel.now() == FakeKernel::start + 1s);
    CHECK(reports.empty());
  }

  // CPython: test_runners.py test_asyncio_run_reports_hanging_tasks_errors
  TEST_CASE("leftovers: one that fails meanwhile is reported once, by name, and run returns") {
    FakeKernel kernel;
    Reports reports;
    CHECK(weir::run(leaves(throws_on_cancel(std::out_of_range("far")), &reports), kernel) == 7);
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "unhandled exception during asyncio.run() shutdown");
    CHECK(weir::describe(reports[0].exception) == "std::out_of_range: far");
    CHECK(reports[0].get("task") ==
          "<Task finished name='leftover' exception=std::out_of_range: far>");
  }

  TEST_CASE("leftovers: main's failure is thrown all the same, and theirs reported") {
    FakeKernel kernel;
    Reports reports;
    const auto fails = [](Reports* into) -> Coro<int> {
      co_await leaves(throws_on_cancel(std::out_of_range("theirs")), into);
      throw std::out_of_range("main's");
    };
    CHECK_THROWS_WITH_AS(weir::run(fails(&reports), kernel), "main's", std::out_of_range);
    CHECK(reports.size() == 1);
  }

  TEST_CASE("leftovers: Ctrl-C that one throws comes out of run") {
    FakeKernel kernel;
    Reports reports;
    CHECK_THROWS_AS(weir::run(leaves(throws_on_cancel(KeyboardInterrupt()), &reports), kernel),
                    KeyboardInterrupt);
    CHECK(reports.empty());
  }

  TEST_CASE("leftovers: whatever one throws, the loop is closed in good order") {
    FakeKernel kernel;
    Reports reports;
    std::string logged;
    const auto leaves_log = [](Reports* into, std::string* log) -> Coro<int> {
      get_running_loop().set_log_sink(
          [log](weir::LogLevel, std::string_view text) { *log += text; });
      co_return co_await leaves(throws_on_cancel(KeyboardInterrupt()), into);
    };
    CHECK_THROWS_AS(weir::run(leaves_log(&reports, &logged), kernel), KeyboardInterrupt);
    CHECK(logged.empty());
  }

  TEST_CASE("B20: run returns when main has, whatever else still waits") {
    FakeKernel kernel;
    const auto main = []() -> Coro<int> {
      EventLoop& loop = get_running_loop();
      loop.call_later(1h, [] {});
      loop.create_task(weir::sleep(1h));
      int fds[2];
      REQUIRE(loop.kernel().socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
      loop.add_reader(fds[0], [] {});
      co_await weir::sleep(1s);
      co_return 7;
    };
    CHECK(weir::run(main(), kernel) == 7);
    CHECK(kernel.now() == FakeKernel::start + 1s);
    CHECK(kernel.registered_fds().empty());
  }

  TEST_CASE("leftovers: one that waits for what never comes is destroyed with the loop") {
    const int before = Alive::count;
    FakeKernel kernel;
    Reports reports;
    const auto refuses = [](Alive) -> Coro<> {
      for (;;) {
        const Future<> never = get_running_loop().create_future<void>();
        try {
          co_await never;
        } catch (const CancelledError&) {
        }
      }
    };
    // To this kernel, a loop that waits for nothing at all is an error.
    CHECK_THROWS_AS(weir::run(leaves(refuses(Alive()), &reports), kernel), OSError);
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "Task was destroyed but it is pending!");
    CHECK(Alive::count == before);
  }

  TEST_CASE("main: an error of the poller comes out, and main is cancelled") {
    FakeKernel kernel;
    std::string trace;
    const auto waits = [](std::string* words) -> Coro<> {
      const Future<> never = get_running_loop().create_future<void>();
      try {
        co_await never;
      } catch (const CancelledError&) {
        *words += "cancelled";
      }
    };
    CHECK_THROWS_AS(weir::run(waits(&trace), kernel), OSError);
    CHECK(trace == "cancelled");
  }

  // CPython: test_runners.py test_interrupt_call_soon, test_interrupt_wait
  TEST_CASE("SIGINT: cancels main; run gives 130 where it has an exit code to give") {
    FakeKernel kernel;
    const auto nothing = [](FakeKernel* from) -> Coro<> { co_await interrupted(from, 0); };
    CHECK(weir::run(interrupted(&kernel, 7), kernel) == 130);
    CHECK(weir::run(nothing(&kernel), kernel) == 130);
    CHECK(kernel.now() == FakeKernel::start + 2s);
  }

  TEST_CASE("SIGINT: run throws KeyboardInterrupt where it has no exit code to give") {
    FakeKernel kernel;
    CHECK_THROWS_AS(weir::run(interrupted(&kernel, std::string("text")), kernel),
                    KeyboardInterrupt);
  }

  TEST_CASE("SIGINT: a main that ends normally all the same gives its value") {
    FakeKernel kernel;
    CHECK(weir::run(swallows_interrupt(&kernel), kernel) == 7);
  }

  TEST_CASE("SIGINT: a second one finds the default action; so does one after run") {
    FakeKernel kernel;
    bool second_caught = true;
    const auto twice = [](FakeKernel* from, bool* caught) -> Coro<> {
      co_await swallows_interrupt(from);
      *caught = from->raise_signal(SIGINT);
    };
    CHECK(weir::run(twice(&kernel, &second_caught), kernel) == 0);
    CHECK_FALSE(second_caught);
    CHECK_FALSE(kernel.raise_signal(SIGINT));
    CHECK(weir::run(gives(7), kernel) == 7);
    CHECK_FALSE(kernel.raise_signal(SIGINT));
  }

  TEST_CASE("SIGINT: while the leftovers end, it finds the default action too") {
    FakeKernel kernel;
    Reports reports;
    bool caught = true;
    const auto raises = [](FakeKernel* from, bool* into) -> Coro<> {
      try {
        co_await weir::sleep(1h);
      } catch (const CancelledError&) {
        *into = from->raise_signal(SIGINT);
        throw;
      }
    };
    CHECK(weir::run(leaves(raises(&kernel, &caught), &reports), kernel) == 7);
    CHECK_FALSE(caught);
  }

  TEST_CASE("SIGINT: a handler that the program has installed is left alone") {
    FakeKernel kernel;
    struct sigaction action{};
    action.sa_handler = count_interrupt;
    REQUIRE(kernel.signal_action(SIGINT, &action, nullptr) == 0);
    interrupts_seen = 0;
    CHECK(weir::run(interrupted(&kernel, 7), kernel) == 7);
    CHECK(interrupts_seen == 1);
  }

  TEST_CASE("SIGINT: a loop that cannot have it runs without") {
    FakeKernel kernel;
    FakeKernel other_kernel;
    EventLoop holder(other_kernel);
    holder.add_signal_handler(SIGINT, [] {});
    CHECK(weir::run(gives(7), kernel) == 7);
    holder.close();
  }
}
