// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <weir/reactor/error.hpp>
#include <weir/reactor/task/run_until_complete.hpp>

#include <tests/streams/stream_fixture.hpp>
#include <tests/streams/stream_loop.hpp>

using weir::Coro;
using weir::FlowControlMixin;
using weir::StreamReader;
using weir::StreamWriter;
using weir::Task;
using weir::test::Connected;
using weir::test::MockTransport;
using weir::test::ReadCall;
using weir::test::ReaderLoop;
using weir::test::said;
using weir::test::StreamLoop;
using namespace std::chrono_literals;

namespace {

/// A protocol and a writer over a transport that does nothing, with a reader.
struct Idle : ReaderLoop {
  std::shared_ptr<MockTransport> mock = std::make_shared<MockTransport>();
  std::shared_ptr<FlowControlMixin> protocol = std::make_shared<FlowControlMixin>();
  StreamReader reader{loop};
  StreamWriter writer{mock, protocol, reader, &loop};
};

}  // namespace

TEST_SUITE("streams/deadlines") {
  // ---- Reading

  TEST_CASE("read time-out: ends each read that waits too long, and takes nothing") {
    struct Row {
      ReadCall call;
      const char* text;
    };
    for (const Row& row :
         {Row{weir::test::readexactly(5), "readexactly()"},
          Row{weir::test::readuntil("\n"), "readuntil()"},
          Row{weir::test::readline(), "readuntil()"}, Row{weir::test::read(-1), "read()"}}) {
      ReaderLoop test;
      const StreamReader reader = test.make_reader();
      reader.set_read_timeout(5s);
      reader.feed_data("ab");
      const Task<std::string> task = test.run(reader, row.call);
      test.advance(5s - 1ns);
      CHECK(said(task) == "PENDING");
      test.advance(1ns);
      CHECK(said(task) == std::string("TimeoutError: ") + row.text + " timed out after 5000 ms");
      CHECK(reader.state().buffered() == "ab");
      CHECK(reader.exception() == nullptr);
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read time-out: bytes that are not enough do not prolong it") {
    const StreamReader reader = make_reader();
    reader.set_read_timeout(5s);
    const Task<std::string> line = run(reader, weir::test::readline());
    for (int i = 0; i < 4; ++i) {
      advance(1s);
      feed(reader, "x");
    }
    CHECK(said(line) == "PENDING");
    advance(1s);
    CHECK(said(line).starts_with("TimeoutError"));
    feed(reader, "\n");
    CHECK(said(run(reader, weir::test::readline())) == R"("xxxx\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read time-out: every read has its own time") {
    const StreamReader reader = make_reader();
    reader.set_read_timeout(5s);
    for (int i = 0; i < 10; ++i) {
      const Task<std::string> line = run(reader, weir::test::readline());
      advance(4s);
      feed(reader, "x\n");
      CHECK(said(line) == R"("x\n")");
    }
    const Task<std::string> late = run(reader, weir::test::readline());
    advance(4s);
    CHECK(said(late) == "PENDING");
    advance(1s);
    CHECK(said(late).starts_with("TimeoutError"));
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read time-out: a read that need not wait has none") {
    const StreamReader reader = make_reader();
    reader.set_read_timeout(0s);
    reader.feed_data("x\n");
    CHECK(said(run(reader, weir::test::readline())) == R"("x\n")");
    CHECK(loop.timers().empty());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read time-out: a thousand reads arm one timer between them") {
    const StreamReader reader = make_reader();
    reader.set_read_timeout(5s);
    run(reader, weir::test::readline()).cancel();
    settle();
    const weir::TimePoint first = *loop.timers().next_deadline();
    for (int i = 0; i < 1000; ++i) {
      const Task<std::string> line = run(reader, weir::test::readline());
      kernel.advance(1ms);
      feed(reader, "x\n");
      REQUIRE(line.done());
      REQUIRE(loop.timers().size() == 1);
      REQUIRE(loop.timers().next_deadline() == first);
    }
    advance(5s);
    CHECK(loop.timers().empty());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read time-out: bytes in the pass of the time-out come too late") {
    const StreamReader reader = make_reader();
    reader.set_read_timeout(5s);
    const Task<std::string> line = run(reader, weir::test::readline());
    kernel.advance(5s);
    settle_until([&] { return reader.repr().find("waiter") == std::string::npos; });
    pass();
    reader.feed_data("x\n");
    settle();
    CHECK(said(line).starts_with("TimeoutError"));
    CHECK(said(run(reader, weir::test::readline())) == R"("x\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read time-out: bytes just before it are returned") {
    const StreamReader reader = make_reader();
    reader.set_read_timeout(5s);
    const Task<std::string> line = run(reader, weir::test::readline());
    kernel.advance(5s);
    reader.feed_data("x\n");
    settle();
    CHECK(said(line) == R"("x\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read time-out: woken without enough, a read is still timed") {
    const StreamReader reader = make_reader();
    reader.set_read_timeout(5s);
    const Task<std::string> line = run(reader, weir::test::readline());
    kernel.advance(5s);
    reader.feed_data("x");  // Its wake-up is queued when the timer goes off.
    pass(3);
    settle();
    advance(0s);
    CHECK(said(line).starts_with("TimeoutError"));
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read time-out: a read that was cancelled is not timed out") {
    const StreamReader reader = make_reader();
    reader.set_read_timeout(5s);
    const Task<std::string> line = run(reader, weir::test::readline());
    line.cancel();
    advance(5s);
    CHECK(said(line) == "CancelledError");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read time-out: set while a read waits it counts from then on") {
    const StreamReader reader = make_reader();
    const Task<std::string> line = run(reader, weir::test::readline());
    advance(100s);
    reader.set_read_timeout(5s);
    advance(4s);
    CHECK(said(line) == "PENDING");
    advance(1s);
    CHECK(said(line).starts_with("TimeoutError"));
  }

  TEST_CASE_FIXTURE(ReaderLoop,
                    "idle time-out: goes with its reader, in the pass in which it is due") {
    std::optional<StreamReader> reader = make_reader();
    reader->set_idle_timeout(5s);
    kernel.advance(5s);
    // Runs before the timer, which is queued behind it by then.
    loop.call_soon([&reader] { reader.reset(); });
    pass();
    CHECK(loop.ready().empty());
    CHECK(loop.timers().empty());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read time-out: taken away it strikes no more") {
    const StreamReader reader = make_reader();
    reader.set_read_timeout(5s);
    const Task<std::string> line = run(reader, weir::test::readline());
    reader.set_read_timeout(std::nullopt);
    advance(100s);
    CHECK(said(line) == "PENDING");
    line.cancel();
    settle();
  }

  TEST_CASE("read time-out: of a reader that outlives its loop does nothing") {
    std::optional<ReaderLoop> test(std::in_place);
    const StreamReader reader = test->make_reader();
    reader.set_read_timeout(5s);
    test->run(reader, weir::test::readline());
    test.reset();
    reader.set_read_timeout(1s);
    reader.set_idle_timeout(1s);
    CHECK(reader.exception() == nullptr);
  }

  // ---- Writing

  TEST_CASE_FIXTURE(Idle, "write time-out: ends a drain that waits too long, and no other") {
    protocol->pause_writing();
    const Task<> patient = loop.create_task(writer.drain());
    settle();
    writer.set_write_timeout(5s);
    const Task<> first = loop.create_task(writer.drain());
    settle();
    advance(3s);
    const Task<> second = loop.create_task(writer.drain());
    settle();
    CHECK(loop.timers().size() == 1);
    advance(2s);
    CHECK(said(first) == "TimeoutError: drain() timed out after 5000 ms");
    CHECK(said(second) == "PENDING");
    advance(3s);
    CHECK(said(second) == "TimeoutError: drain() timed out after 5000 ms");
    CHECK(loop.timers().empty());
    CHECK(said(patient) == "PENDING");
    protocol->resume_writing();
    settle();
    CHECK(said(patient) == "done");
  }

  TEST_CASE_FIXTURE(Idle, "write time-out: a drain that has room in time is well") {
    writer.set_write_timeout(5s);
    protocol->pause_writing();
    const Task<> task = loop.create_task(writer.write_all("x"));
    settle();
    advance(4s);
    protocol->resume_writing();
    settle();
    CHECK(said(task) == "done");
    advance(5s);
    CHECK(loop.timers().empty());
  }

  TEST_CASE_FIXTURE(Idle, "write time-out: a drain without need to wait has no timer") {
    writer.set_write_timeout(5s);
    const Task<> task = loop.create_task(writer.drain());
    settle();
    CHECK(said(task) == "done");
    CHECK(loop.timers().empty());
  }

  TEST_CASE_FIXTURE(Idle, "write time-out: two writers of one protocol each keep their own") {
    const StreamWriter other(mock, protocol, reader, &loop);
    writer.set_write_timeout(5s);
    other.set_write_timeout(2s);
    protocol->pause_writing();
    const Task<> slow = loop.create_task(writer.drain());
    const Task<> fast = loop.create_task(other.drain());
    settle();
    advance(2s);
    CHECK(said(fast) == "TimeoutError: drain() timed out after 2000 ms");
    CHECK(said(slow) == "PENDING");
    advance(3s);
    CHECK(said(slow) == "TimeoutError: drain() timed out after 5000 ms");
  }

  TEST_CASE_FIXTURE(Idle, "write time-out: taken away it holds for drains that had begun") {
    writer.set_write_timeout(5s);
    protocol->pause_writing();
    const Task<> old = loop.create_task(writer.drain());
    settle();
    writer.set_write_timeout(std::nullopt);
    const Task<> later = loop.create_task(writer.drain());
    settle();
    advance(5s);
    CHECK(said(old) == "TimeoutError: drain() timed out after 5000 ms");
    CHECK(said(later) == "PENDING");
    later.cancel();
    settle();
  }

  TEST_CASE_FIXTURE(StreamLoop, "write time-out: what was written stays on its way") {
    const Connected made = connect(weir::default_limit_bytes, 10);
    made.writer.transport()->set_write_buffer_limits(20, 10);
    made.writer.set_write_timeout(5s);
    const Task<> task = loop.create_task(made.writer.write_all(std::string(50, 'x')));
    settle();
    kernel.advance(5s);
    turn();
    CHECK(said(task).starts_with("TimeoutError"));
    std::string got;
    for (int i = 0; i < 10; ++i) {
      got += kernel.take(made.theirs);
      turn();
    }
    CHECK(got == std::string(50, 'x'));
  }

  // ---- Silence

  TEST_CASE_FIXTURE(
      Idle, "B89: a stream silent for its idle time-out fails, for reads and drains, for good") {
    reader.set_idle_timeout(60s);
    const Task<std::string> line = run(reader, weir::test::readline());
    advance(60s - 1ns);
    CHECK(said(line) == "PENDING");
    advance(1ns);
    const std::string error = "TimeoutError: the idle stream timed out after 60000 ms";
    CHECK(said(line) == error);
    CHECK(said(run(reader, weir::test::readline())) == error);
    const Task<> drain = loop.create_task(writer.drain());
    settle();
    CHECK(said(drain) == error);
    CHECK(mock->closes + mock->aborts == 0);
  }

  TEST_CASE_FIXTURE(Idle, "idle time-out: what is received puts it off, without a timer each") {
    reader.set_idle_timeout(60s);
    for (int i = 0; i < 10; ++i) {
      advance(59s);
      feed(reader, "x");
      CHECK(loop.timers().size() == 1);
    }
    CHECK(reader.exception() == nullptr);
    advance(59s);
    CHECK(reader.exception() == nullptr);
    advance(1s);
    CHECK(reader.exception() != nullptr);
    CHECK(loop.timers().empty());
  }

  TEST_CASE_FIXTURE(Idle, "idle time-out: so does what is written, by either call") {
    reader.set_idle_timeout(60s);
    advance(59s);
    writer.write("x");
    advance(59s);
    writer.writelines({"x", "y"});
    advance(59s);
    CHECK(reader.exception() == nullptr);
    advance(1s);
    CHECK(reader.exception() != nullptr);
  }

  TEST_CASE_FIXTURE(Idle, "idle time-out: an exception that is there stays") {
    reader.set_idle_timeout(60s);
    reader.set_exception(weir::ValueError("boom"));
    advance(60s);
    CHECK(said(run(reader, weir::test::readline())) == "ValueError: boom");
  }

  TEST_CASE_FIXTURE(Idle, "idle time-out: taken away it strikes no more") {
    reader.set_idle_timeout(60s);
    reader.set_idle_timeout(std::nullopt);
    advance(100s);
    CHECK(reader.exception() == nullptr);
  }

  TEST_CASE_FIXTURE(StreamLoop, "idle time-out: a connection that has ended has none") {
    const Connected made = connect();
    made.reader.set_idle_timeout(60s);
    kernel.put(made.theirs, "last words");
    turn();
    made.writer.close();
    turn();
    advance(60s);
    CHECK(made.reader.exception() == nullptr);
    const Task<std::string> all = loop.create_task(made.reader.read(-1));
    settle();
    CHECK(said(all) == R"("last words")");
  }

  TEST_CASE_FIXTURE(Idle, "idle time-out: what is put back was not received") {
    reader.set_idle_timeout(60s);
    advance(59s);
    reader.unread("x");
    advance(1s);
    CHECK(reader.exception() != nullptr);
  }

  TEST_CASE_FIXTURE(Idle, "idle and read time-outs: each comes at its own time") {
    reader.set_idle_timeout(10s);
    reader.set_read_timeout(3s);
    const Task<std::string> line = run(reader, weir::test::readline());
    advance(3s);
    CHECK(said(line).starts_with("TimeoutError: readuntil()"));
    advance(7s);
    CHECK(reader.exception() != nullptr);
  }
}
