// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <weir/reactor/task/gather.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/timeout_scope.hpp>
#include <weir/reactor/task/timeouts.hpp>
#include <weir/streams/flow_control_mixin.hpp>
#include <weir/streams/stream_writer.hpp>

#include <tests/streams/stream_fixture.hpp>

using weir::Coro;
using weir::FlowControlMixin;
using weir::Future;
using weir::StreamReader;
using weir::StreamWriter;
using weir::Task;
using weir::test::MockTransport;
using weir::test::ReaderLoop;
using namespace std::chrono_literals;

namespace {

/// Takes everything for slow, so that debug mode names all that runs.
struct AllSlow : ReaderLoop {
  AllSlow() {
    loop.set_log_sink([this](weir::LogLevel, std::string_view text) { logged += text; });
    loop.slow_callback_duration = 0ns;
    loop.set_debug(true);
  }
  ~AllSlow() { loop.set_debug(false); }
  bool named(std::string_view name) const {
    return logged.find("Executing " + std::string(name)) != std::string::npos;
  }

  std::string logged;
};

struct Drains : AllSlow {
  std::shared_ptr<MockTransport> mock = std::make_shared<MockTransport>();
  std::shared_ptr<FlowControlMixin> protocol = std::make_shared<FlowControlMixin>();
  StreamWriter writer{mock, protocol, std::nullopt, &loop};
};

Coro<> drains(StreamWriter writer) { co_await writer.drain(); }

Coro<> sleeps_too_long() { co_await weir::timeout(1s, weir::sleep(1h)); }

}  // namespace

// What waits in the ready queue is no callback of the user's; the log of debug mode says what it
// is all the same.
TEST_SUITE("streams/debug_names") {
  TEST_CASE_FIXTURE(AllSlow, "debug: a read that has been woken is named by its task") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readexactly(2));
    logged.clear();
    reader.feed_data("ab");
    settle();
    CHECK(named("<Task "));
    CHECK(task.result() == "ab");
  }

  TEST_CASE_FIXTURE(Drains, "debug: a drain that has been woken is named by its task") {
    protocol->pause_writing();
    const Task<> task = loop.create_task(drains(writer));
    settle();
    logged.clear();
    protocol->resume_writing();
    settle();
    CHECK(named("<Task "));
    CHECK(task.done());
  }

  TEST_CASE_FIXTURE(AllSlow, "debug: the end of a wait_for is named by the task that waits") {
    const Task<> task = loop.create_task(weir::wait_for(weir::sleep(1h), 1s));
    settle();
    logged.clear();
    advance(1s);
    CHECK(named("<time-out of <Task "));
    CHECK(weir::test::said(task) == "TimeoutError");
  }

  TEST_CASE_FIXTURE(AllSlow, "debug: the end of a timeout is named as that") {
    const Task<> task = loop.create_task(sleeps_too_long());
    settle();
    logged.clear();
    advance(1s);
    CHECK(named("<Timeout [active] when=1001.000>"));
    CHECK(weir::test::said(task) == "TimeoutError");
  }

  TEST_CASE_FIXTURE(AllSlow, "debug: the deadline of a read is named as a stream's") {
    const StreamReader reader = make_reader();
    reader.set_read_timeout(5s);
    const Task<std::string> task = run(reader, weir::test::readexactly(2));
    logged.clear();
    advance(5s);
    CHECK(named("<deadline of a stream>"));
    CHECK(weir::test::said(task) == "TimeoutError: readexactly() timed out after 5000 ms");
  }

  TEST_CASE_FIXTURE(AllSlow, "debug: who hears of a future's end is named by the future") {
    const Future<int> one(loop);
    const auto all = weir::gather(one, Future<int>(loop));
    one.set_exception(weir::ValueError("no"));
    settle();
    CHECK(named("<one who waits for <Future finished "));
    CHECK(weir::test::said(all.exception()) == "ValueError: no");
  }
}
