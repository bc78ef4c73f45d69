// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/streams/stream_loop.hpp>
#include <tests/streams/writer_script.hpp>

using weir::Coro;
using weir::FlowControlMixin;
using weir::StreamWriter;
using weir::Task;
using weir::test::Connected;
using weir::test::MockTransport;
using weir::test::ReaderLoop;
using weir::test::run_rows;
using weir::test::said;
using weir::test::StreamLoop;
using weir::test::WriterScript;
using namespace std::chrono_literals;

namespace {

struct ByHand : ReaderLoop {
  std::shared_ptr<MockTransport> mock = std::make_shared<MockTransport>();
  std::shared_ptr<FlowControlMixin> protocol = std::make_shared<FlowControlMixin>();
  StreamWriter writer{mock, protocol, std::nullopt, &loop};
};

}  // namespace

TEST_SUITE("streams/wait_closed") {
  TEST_CASE("wait_closed: each of asyncio's rules holds, but a cancelled wait spoils no other") {
    run_rows({
        {"without a close() it waits until the connection ends by other means",
         "closed:a . a?pending rst . a?reset"},
        {"the peer's end of stream is no end of the connection",
         "closed:a eof . a?pending close . a?done"},
        {"a clean close gives nothing, every time", "closed:a close . a?done closed:b = b?done"},
        {"so does an abort, whatever was unsent",
         "write:200 closed:a abort . a?done closed:b = b?done"},
        {"the error of the connection is thrown every time it is awaited",
         "epipe write:5 closed:a . a?epipe closed:b . b?epipe closed:c . c?epipe"},
        {"after close() with unsent data and a peer that never reads it waits for ever",
         "write:50 close closed:a . a?pending . . a?pending take . take . take . take . take . "
         "take . a?done"},
        {"the peer dies while close() flushes: that error",
         "write:50 close closed:a . a?pending epipe take . a?epipe"},
        {"cancelling one waiter leaves the others, and later ones, alone",
         "closed:a closed:b . cancel:a . a?cancelled b?pending closed:c . c?pending close . b?done "
         "c?done closed:d . d?done"},
        {"cancelled in the pass of the end, it is cancelled; the others are done",
         "closed:a closed:b . close = cancel:a . a?cancelled b?done"},
    });
  }

  TEST_CASE_FIXTURE(ByHand, "wait_closed: the same one awaited again begins anew") {
    const auto waits_twice = [](StreamWriter its) -> Coro<> {
      weir::WaitClosed closed = its.wait_closed();
      try {
        co_await closed;
      } catch (const weir::CancelledError&) {
      }
      co_await weir::sleep(1ms);
      co_await closed;
    };
    const Task<> task = loop.create_task(waits_twice(writer));
    settle();
    task.cancel();
    settle();
    protocol->connection_lost(std::make_exception_ptr(weir::RuntimeError("broken")));
    advance(1ms);
    CHECK(said(task) == "RuntimeError: broken");
  }

  // CPython: test_streams.py test_wait_closed_on_close
  TEST_CASE_FIXTURE(StreamLoop, "wait_closed: after a conversation and a close() it returns") {
    Connected made = connect();
    made.writer.write("GET\n");
    kernel.put(made.theirs, "200 OK\nbody");
    kernel.put_eof(made.theirs);
    CHECK(loop.run_until_complete(made.reader.readline()) == "200 OK\n");
    CHECK(loop.run_until_complete(made.reader.read()) == "body");
    CHECK_FALSE(made.writer.is_closing());
    made.writer.close();
    CHECK(made.writer.is_closing());
    loop.run_until_complete(made.writer.wait_closed());
    CHECK(kernel.take(made.theirs) == "GET\n");
    CHECK(kernel.at_eof(made.theirs));
  }

  // CPython: test_streams.py test_wait_closed_on_close_with_unread_data
  TEST_CASE_FIXTURE(StreamLoop, "wait_closed: bytes that nobody has read do not hold it up") {
    Connected made = connect();
    kernel.put(made.theirs, "200 OK\nbody");
    CHECK(loop.run_until_complete(made.reader.readline()) == "200 OK\n");
    made.writer.close();
    loop.run_until_complete(made.writer.wait_closed());
    CHECK(made.reader.buffered_bytes() == 4);
  }

  TEST_CASE_FIXTURE(StreamLoop, "wait_closed: the error is the very same object each time") {
    WriterScript script(*this);
    script.run("epipe write:5 closed:a . closed:b .");
    CHECK(script.task("a").exception() != nullptr);
    CHECK(script.task("a").exception() == script.task("b").exception());
  }

  // asyncio cancels the future that all waits share.
  TEST_CASE_FIXTURE(ByHand, "wait_closed: a time-out spoils no later wait") {
    const Task<> timed = loop.create_task(weir::wait_for(writer.wait_closed(), 1s));
    settle();
    advance(1s);
    CHECK(said(timed) == "TimeoutError");
    const Task<> later = loop.create_task(writer.wait_closed());
    settle();
    CHECK(said(later) == "PENDING");
    protocol->connection_lost(nullptr);
    settle();
    CHECK(said(later) == "done");
    CHECK(protocol->closed_waiters().empty());
  }

  TEST_CASE_FIXTURE(ByHand, "wait_closed: after the end gives up no pass") {
    protocol->connection_lost(nullptr);
    const Task<> task = loop.create_task(writer.wait_closed());
    pass();
    CHECK(said(task) == "done");
  }

  TEST_CASE_FIXTURE(ByHand, "wait_closed: resumes in a pass after connection_lost, not inside it") {
    const Task<> task = loop.create_task(writer.wait_closed());
    settle();
    protocol->connection_lost(nullptr);
    CHECK_FALSE(task.done());
    pass();
    CHECK(task.done());
  }

  TEST_CASE_FIXTURE(ByHand, "wait_closed: the task keeps the writer whose handle is gone") {
    std::optional<StreamWriter> only(StreamWriter(mock, protocol, std::nullopt, &loop));
    const Task<> task = loop.create_task(only->wait_closed());
    only.reset();
    settle();
    CHECK(mock->closes == 0);
    protocol->connection_lost(std::make_exception_ptr(weir::ValueError("boom")));
    settle();
    CHECK(said(task) == "ValueError: boom");
  }

  TEST_CASE("close: of the loop ends a wait_closed that waits") {
    ByHand test;
    const Task<> task = test.loop.create_task(test.writer.wait_closed());
    test.settle();
    test.loop.close();
    CHECK(said(task) == "CancelledError");
    CHECK(test.protocol->closed_waiters().empty());
  }
}
