// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>

#include <tests/reactor/fake_loop.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::Ends;
using weir::test::FakeLoop;

namespace {

/// The description of a handle that is made in the line below the call.
std::string handle_below(std::source_location where = std::source_location::current()) {
  return std::string("<Handle ") + where.file_name() + ":" + std::to_string(where.line() + 1) + ">";
}

[[noreturn]] void fail() { throw ValueError("bad"); }

struct Handled : FakeLoop {
  void keep_contexts() {
    loop.set_exception_handler(
        [this](EventLoop&, const ExceptionContext& context) { contexts.push_back(context); });
  }
  std::vector<ExceptionContext> contexts;
};

}  // namespace

TEST_SUITE_BEGIN("reactor/exception_handler");

// ---- What reaches it

// CPython: test_base_events.py test_default_exc_handler_callback
TEST_CASE_FIXTURE(FakeLoop, "default handler: logs the message, then the keys in order") {
  const std::string handle = handle_below();
  loop.call_soon(fail);
  pass();
  CHECK(logged == std::vector<std::string>{"Exception in callback " + handle +
                                           "\nexception: ValueError: bad\nhandle: " + handle});
}

TEST_CASE_FIXTURE(FakeLoop, "default handler: logs an error, not a warning") {
  std::vector<LogLevel> levels;
  loop.set_log_sink([&](LogLevel level, std::string_view) { levels.push_back(level); });
  loop.call_soon(fail);
  pass();
  CHECK(levels == std::vector<LogLevel>{LogLevel::error});
}

// CPython: test_events.py HandleTests.test_callback_with_exception
TEST_CASE_FIXTURE(Handled, "handler: gets the message, the exception and the handle") {
  keep_contexts();
  const std::string handle = handle_below();
  loop.call_soon(fail);
  pass();
  REQUIRE(contexts.size() == 1);
  CHECK(contexts[0].message == "Exception in callback " + handle);
  CHECK(contexts[0].get("handle") == handle);
  CHECK_THROWS_WITH_AS(std::rethrow_exception(contexts[0].exception), "bad", ValueError);
  CHECK(logged.empty());
}

TEST_CASE_FIXTURE(Handled,
                  "handler: is told the line that scheduled the callback, whatever the way in") {
  keep_contexts();
  const Ends ends = connect_readable();
  std::string handle;
  SUBCASE("call_later") {
    handle = handle_below();
    loop.call_later(0s, fail);
  }
  SUBCASE("call_at") {
    handle = handle_below();
    loop.call_at(loop.time(), fail);
  }
  SUBCASE("call_soon_threadsafe") {
    handle = handle_below();
    loop.call_soon_threadsafe(fail);
  }
  SUBCASE("add_reader") {
    handle = handle_below();
    loop.add_reader(ends.ours, fail);
  }
  SUBCASE("add_writer") {
    handle = handle_below();
    loop.add_writer(ends.ours, fail);
  }
  SUBCASE("add_signal_handler") {
    handle = handle_below();
    loop.add_signal_handler(SIGUSR1, fail);
    kernel.raise_signal(SIGUSR1);
  }
  pass();
  REQUIRE(contexts.size() == 1);
  CHECK(contexts[0].get("handle") == handle);
}

TEST_CASE_FIXTURE(Handled, "handler: hears also of what is no std::exception") {
  keep_contexts();
  loop.call_soon([] { throw CancelledError("why"); });
  loop.call_soon([] { throw 7; });
  pass();
  REQUIRE(contexts.size() == 2);
  CHECK(describe(contexts[0].exception) == "CancelledError: why");
  CHECK(describe(contexts[1].exception) == "int");
}

TEST_CASE_FIXTURE(FakeLoop,
                  "callback: one that throws keeps neither its pass nor the loop from going on") {
  loop.call_soon(fail);
  loop.call_soon(note("same-pass"));
  pass();
  loop.call_soon(note("next-pass"));
  pass();
  CHECK(trace == "same-pass next-pass ");
}

TEST_CASE_FIXTURE(FakeLoop, "callback: what one that throws had captured is destroyed") {
  const auto captured = std::make_shared<int>();
  loop.call_soon([captured] { fail(); });
  pass();
  CHECK(captured.use_count() == 1);
}

// ---- Replacing it

// CPython: test_base_events.py test_set_exc_handler_custom
TEST_CASE_FIXTURE(Handled, "set_exception_handler: an empty one brings the default back") {
  CHECK_FALSE(static_cast<bool>(loop.get_exception_handler()));
  keep_contexts();
  CHECK(static_cast<bool>(loop.get_exception_handler()));
  loop.set_exception_handler(nullptr);
  CHECK_FALSE(static_cast<bool>(loop.get_exception_handler()));
  loop.call_soon(fail);
  pass();
  CHECK(contexts.empty());
  CHECK(logged.size() == 1);
}

TEST_CASE_FIXTURE(FakeLoop, "set_exception_handler: a handler may replace itself while it runs") {
  const auto captured = std::make_shared<int>();
  loop.set_exception_handler([this, captured](EventLoop&, const ExceptionContext&) {
    loop.set_exception_handler(nullptr);
    trace += "first-" + std::to_string(captured.use_count()) + " ";
  });
  loop.call_soon(fail);
  loop.call_soon(fail);
  pass();
  CHECK(trace == "first-2 ");
  CHECK(logged.size() == 1);
}

// CPython: test_base_events.py test_set_exc_handler_broken
TEST_CASE_FIXTURE(FakeLoop,
                  "handler: one that throws is reported by the default one, with both errors") {
  loop.set_exception_handler(
      [](EventLoop&, const ExceptionContext&) { throw std::runtime_error("worse"); });
  loop.call_exception_handler(ExceptionContext("It went wrong"));
  CHECK(logged == std::vector<std::string>{"Unhandled error in exception handler\n"
                                           "context: It went wrong\n"
                                           "exception: std::runtime_error: worse"});
}

TEST_CASE_FIXTURE(FakeLoop, "handler: may schedule, and stop the loop") {
  loop.set_exception_handler([this](EventLoop& its_loop, const ExceptionContext&) {
    its_loop.call_soon(note("scheduled"));
    its_loop.stop();
  });
  loop.call_soon(fail);
  loop.run_forever();
  pass();
  CHECK(trace == "scheduled ");
}

TEST_CASE_FIXTURE(FakeLoop, "default handler: can be called by one's own") {
  loop.set_exception_handler([](EventLoop& its_loop, const ExceptionContext& context) {
    its_loop.default_exception_handler(context);
  });
  loop.call_exception_handler(ExceptionContext("It went wrong").with("task", "<Task>"));
  CHECK(logged == std::vector<std::string>{"It went wrong\ntask: <Task>"});
}

// ---- The log

TEST_CASE_FIXTURE(FakeLoop, "log sink: what it throws is swallowed, and the loop goes on") {
  loop.set_log_sink([](LogLevel, std::string_view) { throw std::runtime_error("disk full"); });
  loop.call_soon(fail);
  loop.call_soon(note("next"));
  pass();
  CHECK(trace == "next ");
}

TEST_CASE_FIXTURE(FakeLoop, "log sink: one may replace itself while it runs") {
  const auto captured = std::make_shared<int>();
  loop.set_log_sink([this, captured](LogLevel, std::string_view) {
    loop.set_log_sink([this](LogLevel, std::string_view) { trace += "second "; });
    trace += "first-" + std::to_string(captured.use_count()) + " ";
  });
  loop.log(LogLevel::error, "one");
  loop.log(LogLevel::error, "two");
  CHECK(trace == "first-2 second ");
  CHECK(captured.use_count() == 1);
}

// ---- Slow callbacks

struct Slow : FakeLoop {
  Slow() { loop.set_debug(true); }
  auto taking(Duration duration) {
    return [this, duration] { kernel.advance(duration); };
  }
};

// CPython: test_base_events.py test_log_slow_callbacks
TEST_CASE_FIXTURE(Slow, "debug: a slow callback is a warning with its line and its seconds") {
  const std::string handle = handle_below();
  loop.call_soon(taking(1500ms));
  pass();
  CHECK(logged == std::vector<std::string>{"Executing " + handle + " took 1.500 seconds"});
}

TEST_CASE_FIXTURE(Slow, "debug: slow_callback_duration is slow, a nanosecond less is not") {
  CHECK(loop.slow_callback_duration == 100ms);
  loop.slow_callback_duration = 20ms;
  loop.call_soon(taking(20ms));
  pass();
  CHECK(logged.size() == 1);
  loop.call_soon(taking(20ms - 1ns));
  pass();
  CHECK(logged.size() == 1);
}

TEST_CASE_FIXTURE(Slow, "debug: readers, writers, timers and signals are timed as well") {
  const Ends ends = connect_readable();
  std::string handle;
  SUBCASE("reader") {
    handle = handle_below();
    loop.add_reader(ends.ours, taking(1s));
  }
  SUBCASE("writer") {
    handle = handle_below();
    loop.add_writer(ends.ours, taking(1s));
  }
  SUBCASE("timer") {
    handle = handle_below();
    loop.call_later(0s, taking(1s));
  }
  SUBCASE("signal") {
    handle = handle_below();
    loop.add_signal_handler(SIGUSR1, taking(1s));
    kernel.raise_signal(SIGUSR1);
  }
  pass();
  CHECK(logged == std::vector<std::string>{"Executing " + handle + " took 1.000 seconds"});
}

TEST_CASE_FIXTURE(Slow, "debug: off, nothing is timed") {
  loop.set_debug(false);
  CHECK_FALSE(loop.get_debug());
  loop.call_soon(taking(1s));
  pass();
  CHECK(logged.empty());
}

TEST_SUITE_END();
