// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <signal.h>

#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/net/protocol.hpp>
#include <weir/net/server.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/no_alloc.hpp>
#include <weir/reactor/poller/add_ready.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/gather.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task_group.hpp>
#include <weir/streams/streams.hpp>

#include <tests/oom/sparing_kernel.hpp>
#include <tests/support/allocations.hpp>
#include <tests/support/failing_allocations.hpp>

// docs/out_of_memory.md, promise by promise. `./dev faults --oom` holds whole programs to them.

using namespace weir;
using namespace std::chrono_literals;
using test::FailingAllocations;
using test::Failure;

namespace {

struct Quiet : Protocol {
  void connection_made(const std::shared_ptr<Transport>& its) override { transport = its; }
  void data_received(std::string_view) override {}
  void connection_lost(const std::exception_ptr&) override {
    transport = nullptr;
    ++lost;
  }
  std::shared_ptr<Transport> transport;
  int lost = 0;
};

struct Machine {
  Machine() {
    loop.set_log_sink([this](LogLevel, std::string_view) { ++logged; });
    loop.set_exception_handler([this](EventLoop&, const ExceptionContext& context) {
      ++reports;
      error = context.exception;
    });
  }
  ~Machine() { loop.close(); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void pass() {
    loop.stop();
    loop.run_forever();
  }
  void passes(int count) {
    for (int i = 0; i < count; ++i) pass();
  }
  /// How often `action` asked for memory. There is none.
  template <class Action>
  static std::uint64_t asked_by(Action action) {
    const FailingAllocations none(1, Failure::sticky);
    action();
    return FailingAllocations::seen();
  }
  template <class Action>
  static bool refused(std::uint64_t nth, Action action) {
    const FailingAllocations failing(nth, Failure::once);
    try {
      action();
    } catch (const std::bad_alloc&) {
      return true;
    }
    return false;
  }
  std::shared_ptr<Quiet> connect() {
    const int listener = machine.listen_on(80);
    const auto protocol = std::make_shared<Quiet>();
    const auto dial = [](std::shared_ptr<Quiet> its) -> Coro<> {
      const auto factory = [its] { return its; };
      const auto made = co_await create_connection(factory, "127.0.0.1", 80);
      static_cast<void>(made);
    };
    loop.run_until_complete(dial(protocol));
    peer = machine.accept_from(listener);
    machine.close(listener);
    return protocol;
  }

  FakeKernel machine;
  test::SparingKernel kernel{machine};
  EventLoop loop{kernel};
  int peer = -1;
  int logged = 0;
  int reports = 0;
  std::exception_ptr error;
};

}  // namespace

TEST_SUITE_BEGIN("oom/out_of_memory");

TEST_CASE_FIXTURE(Machine, "no memory: closing and losing a connection asks for none") {
  const auto protocol = connect();
  std::uint64_t asked = 1;
  SUBCASE("close") {
    asked = asked_by([&] { protocol->transport->close(); });
  }
  SUBCASE("abort") {
    asked = asked_by([&] { protocol->transport->abort(); });
  }
  CHECK(asked == 0);
  CHECK(asked_by([&] { passes(2); }) == 0);
  CHECK(protocol->lost == 1);
}

TEST_CASE_FIXTURE(Machine, "no memory: a handle that is cancelled asks for none") {
  Handle ready = loop.call_soon([] {});
  TimerHandle timer = loop.call_later(1h, [] {});
  CHECK(asked_by([&] {
          ready.cancel();
          timer.cancel();
        }) == 0);
}

TEST_CASE_FIXTURE(Machine,
                  "no memory: a future that ends wakes those who wait, and asks for none") {
  const Future<int> future(loop);
  int heard = 0;
  future.add_done_callback([&](const Future<int>&) { ++heard; });
  std::uint64_t asked = 1;
  SUBCASE("a result") {
    asked = asked_by([&] { future.set_result(1); });
  }
  SUBCASE("cancelled") {
    asked = asked_by([&] { future.cancel(); });
  }
  CHECK(asked == 0);
  CHECK(asked_by([&] { pass(); }) == 0);
  CHECK(heard == 1);
}

TEST_CASE_FIXTURE(Machine,
                  "no memory: a task that sleeps is cancelled and ends, and asks for none") {
  const Task<> task = loop.create_task(sleep(1h));
  passes(2);
  CHECK(asked_by([&] {
          task.cancel();
          passes(3);
        }) == 0);
  CHECK(task.cancelled());
}

TEST_CASE_FIXTURE(Machine, "no memory: the text of a cancellation is lost, the cancellation not") {
  const Task<> task = loop.create_task(sleep(1h));
  passes(2);
  const std::string text(100, 'x');
  asked_by([&] {
    task.cancel(text);
    passes(3);
  });
  CHECK(task.cancelled());
}

TEST_CASE_FIXTURE(Machine, "no memory: 1000 timers that are due at once ask for none") {
  int ran = 0;
  for (int i = 0; i < 1000; ++i) loop.call_later(1ms, [&] { ++ran; });
  machine.advance(2ms);
  CHECK(asked_by([&] { pass(); }) == 0);
  CHECK(ran == 1000);
}

TEST_CASE_FIXTURE(Machine, "no memory: a letter that was written is sent, and runs") {
  bool ran = false;
  loop.call_soon_threadsafe([&] { ran = true; });
  CHECK(asked_by([&] { pass(); }) == 0);
  CHECK(ran);
}

TEST_CASE_FIXTURE(Machine, "no memory: the loop reports what a callback threw, once, and goes on") {
  loop.call_soon([] { throw std::bad_alloc(); });
  asked_by([&] { pass(); });
  CHECK(reports == 1);
  CHECK(error != nullptr);
}

TEST_CASE_FIXTURE(Machine, "no memory: without a handler of the user's the log hears of it") {
  loop.set_exception_handler(nullptr);
  loop.call_soon([] { throw std::bad_alloc(); });
  asked_by([&] { pass(); });
  CHECK(logged == 1);
}

TEST_CASE("no memory: a text for an exception is short, and is always there") {
  const std::exception_ptr error = make_os_error(32);
  std::string text;
  {
    const FailingAllocations none(1, Failure::sticky);
    text = describe(error);
  }
  CHECK(text == "out of memory");
}

TEST_CASE("no memory: an OSError that has no room for its text is a bad_alloc") {
  std::exception_ptr error;
  {
    const FailingAllocations none(1, Failure::sticky);
    error = make_os_error(32);
  }
  CHECK_THROWS_AS(std::rethrow_exception(error), std::bad_alloc);
}

TEST_CASE("no memory: a wait gives what has room, and leaves the rest for the next one") {
  std::vector<Ready> ready;
  ready.reserve(1);
  const FailingAllocations none(1, Failure::sticky);
  CHECK(detail::add_ready(ready, {3, 1, true, false}));
  CHECK_FALSE(detail::add_ready(ready, {4, 1, true, false}));
  CHECK(ready.size() == 1);
}

TEST_CASE_FIXTURE(Machine, "refused: gather starts all of its coroutines, or none of them") {
  int started = 0;
  const auto begin = [&started]() {
    const auto count = [](int* its) -> Coro<> {
      ++*its;
      co_return;
    };
    return count(&started);
  };
  int refusals = 0;
  for (std::uint64_t nth = 1; nth < 40; ++nth) {
    started = 0;
    std::optional<Future<std::tuple<std::monostate, std::monostate>>> both;
    loop.call_soon([&] {
      if (refused(nth, [&] { both = gather(begin(), begin()); })) ++refusals;
    });
    passes(4);
    CHECK(started == (both ? 2 : 0));
  }
  CHECK(refusals > 3);
}

TEST_CASE_FIXTURE(Machine, "refused: a task of a group is in it, or does not run") {
  int started = 0;
  int refusals = 0;
  const auto count = [](int* its) -> Coro<> {
    ++*its;
    co_return;
  };
  const auto body = [count](TaskGroup group, int* its, std::uint64_t nth, int* no) -> Coro<> {
    if (refused(nth, [&] { group.create_task(count(its)); })) ++*no;
    co_return;
  };
  for (std::uint64_t nth = 1; nth < 10; ++nth) {
    const int before = started + refusals;
    const TaskGroup group;
    loop.run_until_complete(group.run(body(group, &started, nth, &refusals)));
    CHECK(started + refusals == before + 1);
  }
  CHECK(refusals > 2);
}

TEST_CASE_FIXTURE(Machine, "finally_: the cleanup runs where there is no memory left") {
  bool cleaned = false;
  const auto fail = []() -> Coro<> {
    co_await sleep(0s);
    throw std::bad_alloc();
  };
  const auto clean = [](bool* its) -> Coro<> {
    *its = true;
    co_return;
  };
  const Task<> task = loop.create_task(finally_(fail(), clean(&cleaned)));
  asked_by([&] { passes(4); });
  CHECK(cleaned);
  CHECK_THROWS_AS(task.result(), std::bad_alloc);
}

TEST_CASE("drain: one that its loop gives up leaves nothing behind") {
  const auto run = [] {
    Machine test;
    const auto mixin = std::make_shared<FlowControlMixin>();
    const std::shared_ptr<Quiet> protocol = test.connect();
    const StreamWriter writer(protocol->transport, mixin, std::nullopt, &test.loop);
    mixin->pause_writing();
    const auto never_end = [](StreamWriter its) -> Coro<> {
      for (;;) {
        try {
          co_await its.drain();
        } catch (const CancelledError&) {
        }
      }
    };
    test.loop.create_task(never_end(writer));
    test.passes(2);
    test.loop.close();
    CHECK(test.reports > 0);  // "Task was destroyed but it is pending!"
  };
  run();  // What is made once a process is made here.
  const std::size_t before = test::allocated_bytes();
  run();
  CHECK(test::allocated_bytes() == before);
}

// Called as functions: a compiler may leave out a new expression whose object nobody uses.
TEST_CASE("deny scope: an allocation inside is noted, one that may be is not") {
  test::take_denied_allocations();
  const FailingAllocations counting(0, Failure::once);
  const detail::NoAllocScope none;
  ::operator delete(::operator new(1));
  {
    const detail::MayAllocScope users;
    ::operator delete(::operator new(1));
  }
  CHECK(test::take_denied_allocations() == 1);
}

TEST_SUITE_END();
