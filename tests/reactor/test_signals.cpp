// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/signals.hpp>

#include <tests/reactor/fake_loop.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::Ends;
using weir::test::FakeLoop;

namespace {

void some_handler(int) {}

/// A loop on the real kernel. Signals reach this process, so each case takes its handlers back.
struct RealLoop {
  ~RealLoop() { loop.close(); }
  EventLoop loop;
};

}  // namespace

TEST_SUITE_BEGIN("reactor/signals");

// ---- In the simulated kernel

// CPython: test_unix_events.py test_add_signal_handler
TEST_CASE_FIXTURE(FakeLoop, "add_signal_handler: runs on the loop, not in the signal handler") {
  loop.add_signal_handler(SIGUSR1, note("signal"));
  CHECK(kernel.raise_signal(SIGUSR1));
  CHECK(trace == "");
  pass();
  CHECK(trace == "signal ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "add_signal_handler: arrivals between two passes merge, later ones do not") {
  loop.add_signal_handler(SIGUSR1, note("signal"));
  for (int i = 0; i < 3; ++i) kernel.raise_signal(SIGUSR1);
  pass();
  pass();
  CHECK(trace == "signal ");
  kernel.raise_signal(SIGUSR1);
  pass();
  CHECK(trace == "signal signal ");
}

TEST_CASE_FIXTURE(
    FakeLoop, "add_signal_handler: a signal that comes while its callback runs is served again") {
  int calls = 0;
  loop.add_signal_handler(SIGUSR1, [&] {
    if (++calls == 1) kernel.raise_signal(SIGUSR1);
  });
  kernel.raise_signal(SIGUSR1);
  pass();
  pass();
  CHECK(calls == 2);
}

// CPython: BaseSelectorEventLoop queues it like call_soon_threadsafe() does.
TEST_CASE_FIXTURE(FakeLoop, "add_signal_handler: callbacks that were ready before run before") {
  loop.add_signal_handler(SIGUSR1, note("signal"));
  loop.call_soon(note("ready"));
  kernel.raise_signal(SIGUSR1);
  pass();
  CHECK(trace == "ready signal ");
}

TEST_CASE_FIXTURE(FakeLoop, "add_signal_handler: different signals are served by number") {
  for (const int number : {SIGUSR2, SIGTERM, SIGUSR1}) {
    loop.add_signal_handler(number, note(std::to_string(number)));
  }
  for (const int number : {SIGTERM, SIGUSR2, SIGUSR1}) kernel.raise_signal(number);
  pass();
  CHECK(trace == "10 12 15 ");
}

TEST_CASE_FIXTURE(FakeLoop, "add_signal_handler: a flood of callbacks does not hold a signal up") {
  int passes = 0;
  loop.add_signal_handler(SIGUSR1, [&] { loop.stop(); });
  std::function<void()> flood = [&] {
    if (++passes == 105) kernel.raise_signal(SIGUSR1);
    loop.call_soon(flood);
  };
  loop.call_soon(flood);
  loop.run_forever();
  CHECK(passes <= 107);
  loop.close();  // While what the callbacks captured is there.
}

// CPython: test_unix_events.py test_check_signal
TEST_CASE_FIXTURE(FakeLoop, "add_signal_handler: a number that is no signal is named") {
  int number = 0;
  SUBCASE("0") { number = 0; }
  SUBCASE("65") { number = 65; }
  SUBCASE("-1") { number = -1; }
  SUBCASE("one that the C library keeps for itself") { number = 32; }
  const std::string text = "invalid signal number " + std::to_string(number);
  CHECK_THROWS_WITH_AS(loop.add_signal_handler(number, [] {}), text.c_str(), ValueError);
  CHECK_THROWS_WITH_AS(loop.remove_signal_handler(number), text.c_str(), ValueError);
}

// CPython: test_unix_events.py test_add_signal_handler_install_error3
TEST_CASE_FIXTURE(FakeLoop, "add_signal_handler: a signal that nobody can catch is named") {
  CHECK_THROWS_WITH_AS(loop.add_signal_handler(SIGKILL, [] {}), "sig 9 cannot be caught",
                       RuntimeError);
  CHECK_THROWS_WITH_AS(loop.add_signal_handler(SIGSTOP, [] {}), "sig 19 cannot be caught",
                       RuntimeError);
  CHECK_FALSE(loop.remove_signal_handler(SIGKILL));
}

// CPython: test_unix_events.py test_add_signal_handler_install_error
TEST_CASE_FIXTURE(
    FakeLoop,
    "add_signal_handler: what the kernel says otherwise is an OSError, and no trace stays") {
  kernel.script(Call::signal_action, {.value = 0, .error = EPERM});
  CHECK_THROWS_WITH_AS(loop.add_signal_handler(SIGUSR1, [] {}), "[Errno 1] Operation not permitted",
                       PermissionError);
  CHECK_FALSE(loop.remove_signal_handler(SIGUSR1));
  loop.add_signal_handler(SIGUSR1, note("signal"));
  kernel.raise_signal(SIGUSR1);
  pass();
  CHECK(trace == "signal ");
}

TEST_CASE_FIXTURE(FakeLoop, "add_signal_handler: a second one takes the place of the first") {
  const auto captured = std::make_shared<int>();
  loop.add_signal_handler(SIGUSR1, [captured] {});
  loop.add_signal_handler(SIGUSR1, note("second"));
  CHECK(captured.use_count() == 1);
  kernel.raise_signal(SIGUSR1);
  pass();
  CHECK(trace == "second ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "add_signal_handler: a replacement serves what has arrived before it came") {
  loop.add_signal_handler(SIGUSR1, note("first"));
  loop.add_signal_handler(SIGUSR2, note("other"));
  kernel.raise_signal(SIGUSR1);
  kernel.raise_signal(SIGUSR2);
  loop.call_soon([&] { loop.add_signal_handler(SIGUSR1, note("second")); });
  pass();
  pass();
  CHECK(trace.find("first") == std::string::npos);
  CHECK(trace.find("second") != std::string::npos);
  CHECK(trace.find("other") != std::string::npos);
}

TEST_CASE_FIXTURE(FakeLoop,
                  "add_signal_handler: has nothing to do with what came for one before it") {
  loop.add_signal_handler(SIGUSR1, note("first"));
  kernel.raise_signal(SIGUSR1);
  loop.remove_signal_handler(SIGUSR1);
  loop.add_signal_handler(SIGUSR1, note("second"));
  pass();
  CHECK(trace == "");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "signals: one that comes again before its callback has run is one still") {
  loop.add_signal_handler(SIGUSR1, note("signal"));
  loop.call_soon([] { throw KeyboardInterrupt{}; });
  kernel.raise_signal(SIGUSR1);
  CHECK_THROWS_AS(pass(), KeyboardInterrupt);
  kernel.raise_signal(SIGUSR1);
  pass();
  pass();
  CHECK(trace == "signal ");
}

TEST_CASE_FIXTURE(FakeLoop, "signals: one that was served keeps the loop from waiting no longer") {
  loop.add_signal_handler(SIGUSR1, [] {});
  kernel.raise_signal(SIGUSR1);
  pass();
  const std::uint64_t before = loop.stats().polls;
  loop.call_later(1h, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(loop.stats().polls == before + 1);
}

// CPython: test_unix_events.py test_remove_signal_handler
TEST_CASE_FIXTURE(FakeLoop, "remove_signal_handler: tells whether there was one") {
  CHECK_FALSE(loop.remove_signal_handler(SIGUSR1));
  loop.add_signal_handler(SIGUSR1, [] {});
  CHECK(loop.remove_signal_handler(SIGUSR1));
  CHECK_FALSE(loop.remove_signal_handler(SIGUSR1));
}

TEST_CASE_FIXTURE(FakeLoop, "remove_signal_handler: in its own callback lets that one finish") {
  const auto captured = std::make_shared<int>();
  long uses = 0;
  loop.add_signal_handler(SIGUSR1, [this, captured, &uses] {
    CHECK(loop.remove_signal_handler(SIGUSR1));
    uses = captured.use_count();
  });
  kernel.raise_signal(SIGUSR1);
  pass();
  CHECK(uses == 2);
  CHECK(captured.use_count() == 1);
}

// CPython: test_unix_events.py test_handle_signal_cancelled_handler
TEST_CASE_FIXTURE(FakeLoop, "remove_signal_handler: a signal that has arrived is served no more") {
  loop.add_signal_handler(SIGUSR1, [&] {
    trace += "first ";
    loop.remove_signal_handler(SIGUSR2);
  });
  loop.add_signal_handler(SIGUSR2, note("second"));
  kernel.raise_signal(SIGUSR2);
  kernel.raise_signal(SIGUSR1);
  pass();
  pass();
  CHECK(trace == "first ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "signals: an exception in a callback is reported, the next signal served") {
  loop.add_signal_handler(SIGUSR1, [] { throw ValueError("bad"); });
  loop.add_signal_handler(SIGUSR2, note("other"));
  kernel.raise_signal(SIGUSR1);
  kernel.raise_signal(SIGUSR2);
  pass();
  CHECK(logged.size() == 1);
  CHECK(trace == "other ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "signals: KeyboardInterrupt out of one callback does not lose another signal") {
  loop.add_signal_handler(SIGUSR1, [] { throw KeyboardInterrupt{}; });
  loop.add_signal_handler(SIGUSR2, note("other"));
  kernel.raise_signal(SIGUSR1);
  kernel.raise_signal(SIGUSR2);
  CHECK_THROWS_AS(pass(), KeyboardInterrupt);
  pass();
  CHECK(trace == "other ");
}

TEST_CASE_FIXTURE(FakeLoop, "signals: belong to one loop at a time") {
  EventLoop other(kernel);
  loop.add_signal_handler(SIGUSR1, note("one"));
  CHECK_THROWS_WITH_AS(other.add_signal_handler(SIGUSR1, [] {}),
                       "sig 10 is handled by another loop", RuntimeError);
  kernel.raise_signal(SIGUSR1);
  pass();
  CHECK(trace == "one ");
  loop.remove_signal_handler(SIGUSR1);
  other.add_signal_handler(SIGUSR1, note("other"));
  kernel.raise_signal(SIGUSR1);
  other.stop();
  other.run_forever();
  other.close();
  CHECK(trace == "one other ");
}

// ---- In the real one

// CPython: test_events.py EventLoopTestsMixin.test_signal_handling_while_selecting
TEST_CASE_FIXTURE(RealLoop,
                  "signals: a real one ends the wait and is served" * doctest::timeout(10)) {
  int calls = 0;
  loop.add_signal_handler(SIGUSR1, [&] {
    ++calls;
    loop.stop();
  });
  loop.call_soon([] { kill(getpid(), SIGUSR1); });
  loop.run_forever();
  CHECK(calls == 1);
}

TEST_CASE_FIXTURE(RealLoop,
                  "B16: signals that nobody reads for long are served, and so is the one after") {
  int calls = 0;
  loop.add_signal_handler(SIGUSR1, [&] {
    ++calls;
    loop.stop();
  });
  for (int i = 0; i < 100'000; ++i) raise(SIGUSR1);
  loop.run_forever();
  CHECK(calls == 1);
  raise(SIGUSR1);
  loop.run_forever();
  CHECK(calls == 2);
}

TEST_CASE_FIXTURE(RealLoop,
                  "signals: a real handler may be added by a callback" * doctest::timeout(10)) {
  int calls = 0;
  loop.call_soon([&] {
    loop.add_signal_handler(SIGUSR2, [&] {
      ++calls;
      loop.stop();
    });
    kill(getpid(), SIGUSR2);
  });
  loop.run_forever();
  CHECK(calls == 1);
}

TEST_CASE("signals: the disposition that there was comes back" * doctest::timeout(10)) {
  struct sigaction mine{};
  struct sigaction after{};
  struct sigaction original{};
  SUBCASE("ignored") { mine.sa_handler = SIG_IGN; }
  SUBCASE("a handler") { mine.sa_handler = some_handler; }
  REQUIRE(sigaction(SIGUSR1, &mine, &original) == 0);
  {
    EventLoop loop;
    loop.add_signal_handler(SIGUSR1, [] {});
    loop.add_signal_handler(SIGUSR1, [] {});
    REQUIRE(sigaction(SIGUSR1, nullptr, &after) == 0);
    CHECK((after.sa_handler != mine.sa_handler));
    SUBCASE("when it is removed") { loop.remove_signal_handler(SIGUSR1); }
    SUBCASE("when the loop is closed") {}
    loop.close();
  }
  REQUIRE(sigaction(SIGUSR1, &original, &after) == 0);
  CHECK((after.sa_handler == mine.sa_handler));
}

TEST_CASE_FIXTURE(RealLoop, "signals: system calls that a handler interrupts are restarted" *
                                doctest::timeout(10)) {
  struct sigaction installed{};
  loop.add_signal_handler(SIGUSR1, [] {});
  REQUIRE(sigaction(SIGUSR1, nullptr, &installed) == 0);
  CHECK((installed.sa_flags & SA_RESTART) != 0);
}

TEST_SUITE_END();
