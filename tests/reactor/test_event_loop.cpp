// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <signal.h>
#include <stdlib.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>

#include <tests/reactor/fake_loop.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::Ends;
using weir::test::FakeLoop;

TEST_SUITE_BEGIN("reactor/event_loop");

// ---- call_soon

// CPython: test_events.py EventLoopTestsMixin.test_call_soon
TEST_CASE_FIXTURE(FakeLoop, "call_soon: callbacks run in the order in which they were scheduled") {
  for (const char* word : {"a", "b", "c"}) loop.call_soon(note(word));
  pass();
  CHECK(trace == "a b c ");
}

// CPython: test_base_events.py test__run_once_schedule_handle
TEST_CASE_FIXTURE(FakeLoop, "call_soon: what a callback schedules runs in the next pass") {
  loop.call_soon([&] {
    trace += "a ";
    loop.call_soon(note("from-a"));
  });
  loop.call_soon(note("b"));
  pass();
  CHECK(trace == "a b ");
  pass();
  CHECK(trace == "a b from-a ");
}

// CPython: test_base_events.py test_call_soon_non_callable
TEST_CASE_FIXTURE(FakeLoop, "call_soon: a callback that is empty is refused, by every way in") {
  const std::function<void()> empty;
  const auto refused = [](const char* by) {
    return std::string("a callable object was expected by ") + by + ", got None";
  };
  std::string by;
  std::function<void()> act;
  SUBCASE("call_soon") {
    by = "call_soon()";
    act = [&] { loop.call_soon(empty); };
  }
  SUBCASE("call_later") {
    by = "call_at()";
    act = [&] { loop.call_later(1s, nullptr); };
  }
  SUBCASE("call_at") {
    by = "call_at()";
    act = [&] { loop.call_at(TimePoint(), nullptr); };
  }
  SUBCASE("call_soon_threadsafe") {
    by = "call_soon_threadsafe()";
    act = [&] { loop.call_soon_threadsafe(empty); };
  }
  SUBCASE("add_reader") {
    by = "add_reader()";
    act = [&] { loop.add_reader(connect().ours, empty); };
  }
  SUBCASE("add_writer") {
    by = "add_writer()";
    act = [&] { loop.add_writer(connect().ours, empty); };
  }
  SUBCASE("add_signal_handler") {
    by = "add_signal_handler()";
    act = [&] { loop.add_signal_handler(SIGUSR1, empty); };
  }
  CHECK_THROWS_WITH_AS(act(), refused(by.c_str()).c_str(), ValueError);
}

// CPython: test_base_events.py test_close
TEST_CASE_FIXTURE(FakeLoop, "closed loop: every way in says so") {
  const int fd = connect().ours;
  loop.close();
  std::function<void()> act;
  SUBCASE("call_soon") {
    act = [&] { loop.call_soon([] {}); };
  }
  SUBCASE("call_later") {
    act = [&] { loop.call_later(1s, [] {}); };
  }
  SUBCASE("call_at") {
    act = [&] { loop.call_at(loop.time(), [] {}); };
  }
  SUBCASE("call_soon_threadsafe") {
    act = [&] { loop.call_soon_threadsafe([] {}); };
  }
  SUBCASE("add_reader") {
    act = [&] { loop.add_reader(fd, [] {}); };
  }
  SUBCASE("add_writer") {
    act = [&] { loop.add_writer(fd, [] {}); };
  }
  SUBCASE("add_signal_handler") {
    act = [&] { loop.add_signal_handler(SIGUSR1, [] {}); };
  }
  SUBCASE("run_forever") {
    act = [&] { loop.run_forever(); };
  }
  SUBCASE("default_executor") {
    act = [&] { loop.default_executor(); };
  }
  CHECK_THROWS_WITH_AS(act(), "Event loop is closed", RuntimeError);
}

// ---- Timers

// CPython: test_events.py EventLoopTestsMixin.test_call_later
TEST_CASE_FIXTURE(FakeLoop,
                  "call_later: runs when the delay has passed, neither before nor after") {
  TimePoint ran_at{};
  loop.call_later(100ms, [&] {
    ran_at = loop.time();
    loop.stop();
  });
  loop.run_forever();
  CHECK(ran_at == FakeKernel::start + 100ms);
}

TEST_CASE_FIXTURE(FakeLoop, "call_later: the deadline decides, not the order of the calls") {
  loop.call_later(30ms, [&] { loop.stop(); });
  loop.call_later(20ms, note("second"));
  loop.call_later(10ms, note("first"));
  loop.run_forever();
  CHECK(trace == "first second ");
}

// asyncio leaves this order to its heap: 0, 2, 3, 4, 1.
TEST_CASE_FIXTURE(FakeLoop, "call_at: equal deadlines run in the order of the calls") {
  const TimePoint when = loop.time() + 10ms;
  for (const char* word : {"0", "1", "2", "3", "4"}) loop.call_at(when, note(word));
  loop.call_at(when, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(trace == "0 1 2 3 4 ");
}

// CPython: test_base_events.py test_call_later_negative_delays
TEST_CASE_FIXTURE(FakeLoop,
                  "call_later: a delay of zero or less runs in this pass, behind what is ready") {
  loop.call_later(0s, note("zero"));
  loop.call_later(-1h, note("negative"));
  loop.call_soon(note("soon"));
  pass();
  CHECK(trace == "soon negative zero ");
}

TEST_CASE_FIXTURE(FakeLoop, "call_at: a deadline before the clock can reach back is due now") {
  kernel.advance(1s);
  SUBCASE("the first moment") {
    loop.call_at(TimePoint::min(), [&] { loop.stop(); });
  }
  SUBCASE("the longest negative delay") {
    loop.call_later(Duration::min(), [&] { loop.stop(); });
    kernel.advance(1s);  // Now the distance does not fit into a Duration.
  }
  const TimePoint before = loop.time();
  loop.run_forever();
  CHECK(loop.time() == before);
}

TEST_CASE_FIXTURE(FakeLoop, "B11: a huge delay is never, not a moment in the past") {
  TimerHandle never;
  SUBCASE("hours") { never = loop.call_later(std::chrono::hours::max(), note("never")); }
  SUBCASE("nanoseconds") { never = loop.call_later(Duration::max(), note("never")); }
  SUBCASE("infinity") {
    const std::chrono::duration<double> infinite(std::numeric_limits<double>::infinity());
    never = loop.call_later(infinite, note("never"));
  }
  loop.call_later(std::chrono::hours(24 * 400), [&] { loop.stop(); });
  loop.run_forever();
  CHECK(never.when() == TimePoint::max());
  CHECK(trace == "");
}

TEST_CASE_FIXTURE(FakeLoop, "call_later: fractions of a second may be floating point") {
  const TimerHandle timer = loop.call_later(std::chrono::duration<double>(0.25), [] {});
  CHECK(timer.when() == FakeKernel::start + 250ms);
}

// CPython: test_tasks.py test_sleep_when_delay_is_nan
TEST_CASE_FIXTURE(FakeLoop, "call_later: a delay that is not a number is refused") {
  const std::chrono::duration<double> nan(std::numeric_limits<double>::quiet_NaN());
  CHECK_THROWS_WITH_AS(loop.call_later(nan, [] {}), "Invalid delay: NaN (not a number)",
                       ValueError);
}

TEST_CASE_FIXTURE(FakeLoop, "B10: no wait for a timer costs more than one poll") {
  loop.call_later(100'400us, [&] { loop.stop(); });
  loop.run_forever();
  CHECK(loop.stats().polls == 1);
}

TEST_CASE("B10: the real clock never finds a timer early, nor the loop spinning towards it") {
  EventLoop loop;
  for (int round = 0; round < 10; ++round) {
    TimePoint ran_at{};
    const TimerHandle timer = loop.call_later(1900us, [&] {
      ran_at = loop.time();
      loop.stop();
    });
    loop.run_forever();
    CHECK(ran_at >= timer.when());
  }
  CHECK(loop.stats().polls == 10);
  loop.close();
}

// libevent dfd808cb: a clock that jumps makes a periodic timer fire 3,600 times.
TEST_CASE_FIXTURE(FakeLoop, "B13: a clock that jumps an hour ahead runs each timer once") {
  std::function<void()> tick = [&] {
    trace += "tick ";
    loop.call_later(1s, tick);
  };
  loop.call_later(1s, tick);
  kernel.advance(1h);
  pass();
  pass();
  CHECK(trace == "tick ");
}

TEST_CASE_FIXTURE(FakeLoop, "B13: a clock that jumps back makes the loop wait, not spin") {
  const TimerHandle timer = loop.call_later(1s, [&] { loop.stop(); });
  kernel.advance(-30s);
  loop.run_forever();
  CHECK(loop.time() == timer.when());
  CHECK(loop.stats().polls == 1);
}

// libuv 1fe609ea0, 03f1a6979: a loop that counts its work wrong sleeps, or never ends.
TEST_CASE_FIXTURE(FakeLoop, "B20: the loop sleeps only when nothing is to be done") {
  loop.call_later(1h, note("slept"));
  SUBCASE("a callback") {
    loop.call_soon([&] { loop.stop(); });
  }
  SUBCASE("a post") {
    loop.call_soon_threadsafe([&] { loop.stop(); });
  }
  SUBCASE("a due timer") {
    loop.call_later(0s, [&] { loop.stop(); });
  }
  SUBCASE("a signal") {
    loop.add_signal_handler(SIGUSR1, [&] { loop.stop(); });
    REQUIRE(kernel.raise_signal(SIGUSR1));
  }
  SUBCASE("a socket") {
    loop.add_reader(connect_readable().ours, [&] { loop.stop(); });
  }
  SUBCASE("stop() before the run") { loop.stop(); }
  loop.run_forever();
  CHECK(loop.time() == FakeKernel::start);
  CHECK(trace == "");
}

// ---- Nobody starves

// libuv 51a22f60d, redis 67b70a181: an infinite loop in the timer phase.
TEST_CASE_FIXTURE(FakeLoop, "B12: a thousand timers that re-arm at zero let a socket in at once") {
  for (int i = 0; i < 1000; ++i) {
    loop.call_later(0s, [this] {
      struct Tick {
        EventLoop& its_loop;
        void operator()() const { its_loop.call_later(0s, *this); }
      };
      Tick{loop}();
    });
  }
  pass();
  const Ends ends = connect_readable();
  loop.add_reader(ends.ours, [&] { trace += "served "; });
  const std::uint64_t before = loop.stats().passes;
  pass();
  CHECK(trace == "served ");
  CHECK(loop.stats().passes - before <= 2);
}

TEST_CASE_FIXTURE(FakeLoop,
                  "fairness: a flood of call_soon lets a socket in after 256 passes at most") {
  int passes = 0;
  const Ends ends = connect();
  loop.add_reader(ends.ours, [&] { loop.stop(); });
  std::function<void()> flood = [&] {
    if (++passes == 100) kernel.put(ends.theirs, "x");
    loop.call_soon(flood);
  };
  loop.call_soon(flood);
  loop.run_forever();
  CHECK(passes >= 100);
  CHECK(passes <= 357);
  loop.close();  // While what the callbacks captured is there.
}

TEST_CASE_FIXTURE(FakeLoop,
                  "fairness: a flood of passes that take 2 us lets a socket in after 16 at most") {
  int passes = 0;
  const Ends ends = connect();
  loop.add_reader(ends.ours, [&] { loop.stop(); });
  std::function<void()> flood = [&] {
    kernel.advance(2us);
    if (++passes == 100) kernel.put(ends.theirs, "x");
    loop.call_soon(flood);
  };
  loop.call_soon(flood);
  loop.run_forever();
  CHECK(passes >= 100);
  CHECK(passes <= 117);
  loop.close();  // While what the callbacks captured is there.
}

TEST_CASE_FIXTURE(FakeLoop, "fairness: a flood of call_soon lets a timer in as soon as it is due") {
  int passes = 0;
  loop.call_later(1s, [&] { loop.stop(); });
  std::function<void()> flood = [&] {
    if (++passes == 100) kernel.advance(1s);
    loop.call_soon(flood);
  };
  loop.call_soon(flood);
  loop.run_forever();
  CHECK(passes == 101);
  loop.close();  // While what the callbacks captured is there.
}

// The bound is that of max_drain_passes: the events of the batch, and 64.
TEST_CASE_FIXTURE(FakeLoop,
                  "fairness: a batch of events whose callbacks flood holds no timer up for long") {
  constexpr std::uint64_t events = 10;
  std::function<void()> flood = [&] { loop.call_soon(flood); };
  std::optional<std::uint64_t> due_at_pass;
  std::uint64_t ran_at_pass = 0;
  for (std::uint64_t i = 0; i < events; ++i) {
    const Ends ends = connect_readable();
    loop.add_reader(ends.ours, [this, ends, &flood, &due_at_pass] {
      kernel.take(ends.ours);
      if (!due_at_pass) {
        due_at_pass = loop.stats().passes;
        kernel.advance(1s);
      }
      loop.call_soon(flood);
    });
  }
  loop.call_later(1s, [&] {
    ran_at_pass = loop.stats().passes;
    loop.stop();
  });
  loop.run_forever();
  CHECK(ran_at_pass - *due_at_pass <= events + 64);
  CHECK(ran_at_pass - *due_at_pass > 64);  // Else it is not the drain that this is about.
  loop.close();                            // While what the callbacks captured is there.
}

// ---- run_forever and stop

TEST_CASE_FIXTURE(FakeLoop, "stop: the pass goes on to its end") {
  loop.call_soon([&] { loop.stop(); });
  loop.call_soon(note("same-pass"));
  loop.run_forever();
  CHECK(trace == "same-pass ");
}

// docs.python.org, loop.stop(): "new callbacks scheduled by callbacks will not run in this case".
TEST_CASE_FIXTURE(FakeLoop,
                  "stop: what callbacks of the last pass schedule waits for the next run") {
  loop.call_soon([&] {
    loop.call_soon(note("next-run"));
    loop.stop();
    loop.call_soon(note("next-run-too"));
  });
  loop.run_forever();
  CHECK(trace == "");
  pass();
  CHECK(trace == "next-run next-run-too ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "stop: what a reader that calls it has scheduled waits for the next run") {
  const Ends ends = connect_readable();
  loop.add_reader(ends.ours, [&] {
    kernel.take(ends.ours);
    loop.call_soon(note("next-run"));
    loop.stop();
  });
  loop.run_forever();
  CHECK(trace == "");
  pass();
  CHECK(trace == "next-run ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "stop: what is woken after it by the same descriptor waits for the next run") {
  const Ends ends = connect_readable();
  loop.add_reader(ends.ours, [&] {
    kernel.take(ends.ours);
    loop.call_soon([&] {
      loop.call_soon(note("next-run"));
      loop.stop();
    });
    loop.call_soon(note("same-pass"));
  });
  loop.run_forever();
  CHECK(trace == "same-pass ");
  pass();
  CHECK(trace == "same-pass next-run ");
}

TEST_CASE_FIXTURE(FakeLoop, "stop: called by a reader, it keeps no due timer from running") {
  const Ends ends = connect_readable();
  loop.add_reader(ends.ours, [&] {
    loop.call_soon(note("next-run"));
    loop.stop();
  });
  loop.call_later(0s, note("timer"));
  loop.call_later(0s, note("timer"));
  loop.run_forever();
  CHECK(trace == "timer timer ");
  loop.run_forever();
  CHECK(trace == "timer timer next-run ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "stop: called by a reader, it lets run what other threads had posted before") {
  const Ends ends = connect_readable();
  loop.add_reader(ends.ours, [&] {
    loop.call_soon(note("next-run"));
    loop.stop();
  });
  loop.call_soon_threadsafe(note("posted"));
  loop.run_forever();
  CHECK(trace == "posted ");
}

// CPython: test_base_events.py test_run_forever_pre_stopped
TEST_CASE_FIXTURE(FakeLoop, "stop: called before the run, it makes one pass that does not wait") {
  loop.call_soon([&] {
    trace += "ready ";
    loop.call_soon(note("next-run"));
  });
  loop.call_later(1h, note("later"));
  loop.stop();
  loop.run_forever();
  CHECK(trace == "ready ");
  CHECK(loop.time() == FakeKernel::start);
}

// docs.python.org, loop.stop(): "the loop will poll the I/O selector once with a timeout of zero,
// run all callbacks scheduled in response to I/O events (and those that were already scheduled)".
TEST_CASE_FIXTURE(FakeLoop, "stop: called before the run, it still looks at the sockets") {
  const Ends ends = connect_readable();
  loop.add_reader(ends.ours, [&] {
    trace += "read ";
    loop.call_soon(note("next-run"));
  });
  loop.call_soon(note("ready"));
  loop.call_later(0s, note("timer"));
  pass();
  CHECK(trace == "read ready timer ");
}

TEST_CASE_FIXTURE(FakeLoop, "stop: ends one run, not the next") {
  loop.stop();
  loop.run_forever();
  int passes = 0;
  std::function<void()> count = [&] {
    if (++passes == 5) return loop.stop();
    loop.call_soon(count);
  };
  loop.call_soon(count);
  loop.run_forever();
  CHECK(passes == 5);
}

TEST_CASE_FIXTURE(FakeLoop, "run_forever: inside a callback of the same loop is refused") {
  std::string text;
  loop.call_soon([&] {
    try {
      loop.run_forever();
    } catch (const RuntimeError& error) {
      text = error.what();
    }
  });
  pass();
  CHECK(text == "This event loop is already running");
}

// CPython: test_events.py RunningLoopTests.test_running_loop_within_a_loop
TEST_CASE_FIXTURE(FakeLoop, "run_forever: while another loop runs on this thread is refused") {
  EventLoop other(kernel);
  std::string text;
  loop.call_soon([&] {
    try {
      other.run_forever();
    } catch (const RuntimeError& error) {
      text = error.what();
    }
  });
  pass();
  other.close();
  CHECK(text == "Cannot run the event loop while another loop is running");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "B09: a poller that fails ends the run with an OSError, and it can run again") {
  kernel.script(Call::poller_wait, {.value = 0, .error = EBADF});
  CHECK_THROWS_WITH_AS(loop.run_forever(), "[Errno 9] Bad file descriptor", OSError);
  CHECK_FALSE(loop.is_running());
  loop.call_soon(note("again"));
  pass();
  CHECK(trace == "again ");
}

// CPython: test_base_events.py test_run_until_complete_baseexception
TEST_CASE_FIXTURE(FakeLoop,
                  "run_forever: KeyboardInterrupt goes through, and what was ready stays ready") {
  loop.call_soon([] { throw KeyboardInterrupt{}; });
  loop.call_soon(note("later"));
  CHECK_THROWS_AS(loop.run_forever(), KeyboardInterrupt);
  CHECK_FALSE(loop.is_running());
  CHECK(trace == "");
  pass();
  CHECK(trace == "later ");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "run_forever: KeyboardInterrupt from a reader loses no event of another socket") {
  const Ends first = connect_readable();
  const Ends second = connect_readable();
  loop.add_reader(first.ours, [&] {
    kernel.take(first.ours);
    throw KeyboardInterrupt{};
  });
  loop.add_reader(second.ours, [&] { loop.stop(); });
  CHECK_THROWS_AS(loop.run_forever(), KeyboardInterrupt);
  loop.run_forever();
  CHECK(loop.stats().polls == 2);
}

TEST_CASE_FIXTURE(FakeLoop, "is_running: is true inside callbacks only") {
  bool inside = false;
  CHECK_FALSE(loop.is_running());
  loop.call_soon([&] { inside = loop.is_running(); });
  pass();
  CHECK(inside);
  CHECK_FALSE(loop.is_running());
}

// CPython: test_events.py GetEventLoopTestsMixin.test_get_event_loop_returns_running_loop
TEST_CASE_FIXTURE(FakeLoop,
                  "get_running_loop: is the loop inside its callbacks, an error outside") {
  EventLoop* inside = nullptr;
  loop.call_soon([&] { inside = &get_running_loop(); });
  CHECK_THROWS_WITH_AS(get_running_loop(), "no running event loop", RuntimeError);
  pass();
  CHECK(inside == &loop);
  CHECK_THROWS_AS(get_running_loop(), RuntimeError);
}

TEST_CASE_FIXTURE(FakeLoop, "get_running_loop: is reset by a run that ends with an exception") {
  loop.call_soon([] { throw KeyboardInterrupt{}; });
  CHECK_THROWS_AS(loop.run_forever(), KeyboardInterrupt);
  CHECK(detail::running_loop == nullptr);
}

TEST_CASE_FIXTURE(FakeLoop, "constructor: a kernel that gives no poller is an OSError") {
  kernel.script(Call::make_poller, {.value = 0, .error = EMFILE});
  CHECK_THROWS_WITH_AS(EventLoop{kernel}, "[Errno 24] Too many open files", OSError);
}

// CPython: test_base_events.py test_env_var_debug
TEST_CASE_FIXTURE(FakeLoop, "constructor: debug mode starts on if WEIR_DEBUG says something") {
  const char* const before = std::getenv("WEIR_DEBUG");
  const std::string saved = before != nullptr ? before : "";
  bool expected = false;
  SUBCASE("1") { expected = setenv("WEIR_DEBUG", "1", 1) == 0; }
  SUBCASE("empty") { expected = setenv("WEIR_DEBUG", "", 1) != 0; }
  EventLoop other(kernel);
  setenv("WEIR_DEBUG", saved.c_str(), 1);
  CHECK(other.get_debug() == expected);
  other.close();
}

TEST_CASE_FIXTURE(FakeLoop, "run_forever: several loops on one thread take turns") {
  EventLoop other(kernel);
  for (int i = 0; i < 3; ++i) {
    loop.call_soon(note("one"));
    pass();
    other.call_soon(note("two"));
    other.stop();
    other.run_forever();
  }
  other.close();
  CHECK(trace == "one two one two one two ");
}

TEST_CASE_FIXTURE(FakeLoop, "call_soon_threadsafe: on the loop's own thread it is call_soon") {
  loop.call_soon_threadsafe([&] {
    trace += "a ";
    loop.call_soon_threadsafe(note("from-a"));
  });
  loop.call_soon_threadsafe(note("b"));
  pass();
  CHECK(trace == "a b ");
  pass();
  CHECK(trace == "a b from-a ");
}

TEST_CASE_FIXTURE(FakeLoop, "call_soon_threadsafe: a flood of call_soon does not hold a post up") {
  int passes = 0;
  std::function<void()> flood = [&] {
    if (++passes == 105) loop.call_soon_threadsafe([&] { loop.stop(); });
    loop.call_soon(flood);
  };
  loop.call_soon(flood);
  loop.run_forever();
  CHECK(passes <= 107);
  loop.close();  // While what the callbacks captured is there.
}

TEST_CASE_FIXTURE(
    FakeLoop, "passes: 256 go by before the kernel is asked again, on a clock that stands still") {
  int passes = 0;
  std::function<void()> busy = [&] {
    if (++passes == 2600) return loop.stop();
    loop.call_soon(busy);
  };
  loop.call_soon(busy);
  loop.run_forever();
  CHECK(loop.stats().polls == 10);
}

TEST_SUITE_END();
