// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/streams/stream_fixture.hpp>

using weir::Coro;
using weir::StreamReader;
using weir::Task;
using weir::test::ReadCall;
using weir::test::ReaderLoop;
using weir::test::said;
using namespace std::chrono_literals;

namespace {

const std::vector<ReadCall> waiting_calls = {weir::test::read(5),
                                             weir::test::read(-1),
                                             weir::test::readexactly(5),
                                             weir::test::readuntil("\r\n"),
                                             weir::test::readuntil_any({"\n", "END"}),
                                             weir::test::readline()};

Coro<std::string> deep(int levels, StreamReader reader) {
  std::string line;
  if (levels == 0) {
    line = co_await reader.readline();
  } else {
    line = co_await deep(levels - 1, reader);
  }
  co_return line;
}

Coro<std::string> swallows_once(StreamReader reader) {
  weir::Outcome<std::string> first = co_await weir::outcome(reader.readline());
  std::string line = co_await reader.readline();
  co_return (first.cancelled() ? "cancelled, then " : "") + line;
}

}  // namespace

TEST_SUITE("streams/reader_cancel") {
  // CPython: test_streams.py test_exception_cancel
  TEST_CASE("cancel: of a read that waits consumes nothing, whatever the call") {
    for (const ReadCall& call : waiting_calls) {
      ReaderLoop test;
      const StreamReader reader = test.make_reader();
      if (call.kind != ReadCall::Kind::read || call.bytes < 0) reader.feed_data("ab");
      const std::string before(reader.state().buffered());
      const Task<std::string> task = test.run(reader, call);
      CHECK(said(task) == "PENDING");
      task.cancel();
      test.settle();
      CHECK(said(task) == "CancelledError");
      CHECK(reader.state().buffered() == before);
      CHECK_FALSE(reader.at_eof());
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "cancel: leaves the transport as the wait had made it") {
    const StreamReader reader = make_reader(1);
    reader.feed_data("abc");
    const Task<std::string> task = run(reader, weir::test::readexactly(10));
    task.cancel();
    settle();
    CHECK(transport.flow == "PR");
    CHECK_FALSE(reader.state().paused());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "cancel: another read may wait in the same pass") {
    const StreamReader reader = make_reader();
    const Task<std::string> first = run(reader, weir::test::readline());
    first.cancel();
    const Task<std::string> second = start(reader, weir::test::readline());
    settle();
    CHECK(said(first) == "CancelledError");
    CHECK(said(second) == "PENDING");
    feed(reader, "x\n");
    CHECK(said(second) == R"("x\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "cancel: many reads in one pass each leave place for the next") {
    const StreamReader reader = make_reader();
    std::vector<Task<std::string>> tasks;
    loop.call_soon([&] {
      for (int i = 0; i < 5; ++i) tasks.push_back(start(reader, weir::test::readline()));
    });
    pass(2);
    CHECK(said(tasks[0]) == "PENDING");
    for (std::size_t i = 1; i < 5; ++i) CHECK(said(tasks[i]).starts_with("RuntimeError"));
    for (int i = 0; i < 5; ++i) {
      tasks[0].cancel();
      tasks[0] = start(reader, weir::test::readline());
      pass();
    }
    feed(reader, "x\n");
    CHECK(said(tasks[0]) == R"("x\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "cancel: bytes that come in the same pass, before it, stay") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readline());
    reader.feed_data("x\n");
    task.cancel();
    settle();
    CHECK(said(task) == "CancelledError");
    CHECK(reader.state().buffered() == "x\n");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "cancel: bytes that come in the same pass, after it, stay") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readline());
    task.cancel();
    reader.feed_data("x\n");
    settle();
    CHECK(said(task) == "CancelledError");
    CHECK(reader.state().buffered() == "x\n");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "cancel: an exception in the same pass is kept for the next read") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readline());
    task.cancel();
    reader.set_exception(weir::ValueError("boom"));
    settle();
    CHECK(said(task) == "CancelledError");
    CHECK(said(run(reader, weir::test::readline())) == "ValueError: boom");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "cancel: the end of the stream in the same pass is not consumed") {
    const StreamReader reader = make_reader();
    reader.feed_data("ab");
    const Task<std::string> task = run(reader, weir::test::readexactly(5));
    reader.feed_eof();
    task.cancel();
    settle();
    CHECK(said(task) == "CancelledError");
    CHECK(said(run(reader, weir::test::readexactly(5))) == R"(IRE("ab", 5))");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "cancel: before its first step a read does not happen") {
    const StreamReader reader = make_reader();
    reader.feed_data("x\n");
    const Task<std::string> task = start(reader, weir::test::readline());
    task.cancel();
    settle();
    CHECK(said(task) == "CancelledError");
    CHECK(reader.state().buffered() == "x\n");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "cancel: twice is once") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readline());
    CHECK(task.cancel());
    CHECK(task.cancel());
    settle();
    CHECK(said(task) == "CancelledError");
    feed(reader, "x\n");
    CHECK(said(run(reader, weir::test::readline())) == R"("x\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "cancel: strikes the read through any depth of coroutines") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = loop.create_task(deep(100, reader));
    settle();
    task.cancel("deep");
    settle();
    CHECK(said(task) == "CancelledError");
    CHECK(weir::test::cancel_message_of([&] { task.result(); }) == "deep");
    feed(reader, "x\n");
    CHECK(reader.state().buffered() == "x\n");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "cancel: a task that goes on can read on") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = loop.create_task(swallows_once(reader));
    settle();
    reader.feed_data("li");
    task.cancel();
    settle();
    feed(reader, "ne\n");
    CHECK(said(task) == R"("cancelled, then line\n")");
  }

  // CPython: measured on 3.11 to 3.13
  TEST_CASE_FIXTURE(ReaderLoop, "wait_for: a time-out keeps the partial line for the next read") {
    const StreamReader reader = make_reader();
    reader.feed_data("par");
    const Task<std::string> task = loop.create_task(weir::wait_for(reader.readline(), 5s));
    settle();
    advance(5s);
    CHECK(said(task) == "TimeoutError");
    reader.feed_data("tial\n");
    CHECK(said(run(reader, weir::test::readline())) == R"("partial\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "wait_for: bytes in time are returned in time") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = loop.create_task(weir::wait_for(reader.readexactly(4), 5s));
    settle();
    advance(4s);
    feed(reader, "abcd");
    CHECK(said(task) == R"("abcd")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "wait_for: no time at all does not touch the buffer") {
    const StreamReader reader = make_reader();
    reader.feed_data("line\n");
    const Task<std::string> task = loop.create_task(weir::wait_for(reader.readline(), 0s));
    settle();
    CHECK(said(task) == "TimeoutError");
    CHECK(reader.state().buffered() == "line\n");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read(-1): cancelled, gives back in order what it had collected") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("ab");
    const Task<std::string> task = run(reader, weir::test::read(-1));
    feed(reader, "cd");
    feed(reader, "ef");
    CHECK(reader.state().buffered().empty());
    reader.feed_data("gh");
    task.cancel();
    settle();
    CHECK(said(task) == "CancelledError");
    CHECK(reader.state().buffered() == "abcdefgh");
    CHECK(said(run(reader, weir::test::readexactly(8))) == R"("abcdefgh")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read(-1): timed out and called again, returns everything") {
    const StreamReader reader = make_reader();
    reader.feed_data("early ");
    const Task<std::string> task = loop.create_task(weir::wait_for(reader.read(), 1s));
    settle();
    advance(1s);
    CHECK(said(task) == "TimeoutError");
    reader.feed_data("late");
    reader.feed_eof();
    CHECK(said(run(reader, weir::test::read(-1))) == R"("early late")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read(-1): an exception gives back what it had collected") {
    const StreamReader reader = make_reader();
    reader.feed_data("ab");
    const Task<std::string> task = run(reader, weir::test::read(-1));
    reader.set_exception(weir::ValueError("boom"));
    settle();
    CHECK(said(task) == "ValueError: boom");
    CHECK(reader.state().buffered() == "ab");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read(-1): what it gives back wakes the read that waits by then") {
    const StreamReader reader = make_reader();
    reader.feed_data("ab");
    const Task<std::string> all = run(reader, weir::test::read(-1));
    const Task<std::string> next = start(reader, weir::test::readexactly(2));
    SUBCASE("cancelled") { all.cancel(); }
    SUBCASE("refused to wait on") { reader.feed_data("c"); }
    settle();
    CHECK(said(all) != "PENDING");
    CHECK(said(next) == R"("ab")");
  }

  TEST_CASE("close: of the loop cancels a read that waits, and the bytes stay in the reader") {
    ReaderLoop test;
    const StreamReader reader = test.make_reader();
    reader.feed_data("ab");
    const Task<std::string> task = test.run(reader, weir::test::readexactly(5));
    test.loop.close();
    CHECK(said(task) == "CancelledError");
    CHECK(reader.state().buffered() == "ab");
  }
}
