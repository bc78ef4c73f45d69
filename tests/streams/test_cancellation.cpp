// SPDX-License-Identifier: MIT
//
// Every row of docs/cancellation.md, by the name of its method.

#include <doctest/doctest.h>

#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/streams/stream_fixture.hpp>
#include <tests/streams/stream_loop.hpp>
#include <tests/support/foreign_awaitable.hpp>

using weir::Coro;
using weir::FlowControlMixin;
using weir::StreamReader;
using weir::StreamWriter;
using weir::Task;
using weir::test::Connected;
using weir::test::ForeignAwaitable;
using weir::test::MockTransport;
using weir::test::ReaderLoop;
using weir::test::said;
using weir::test::StreamLoop;
using namespace std::chrono_literals;

namespace {

/// Any awaitable, for its effect on the buffer alone.
template <class A>
Coro<> only(A awaitable) {
  static_cast<void>(co_await std::move(awaitable));
}

Coro<> reads_and_is_stuck(StreamReader reader) {
  static_cast<void>(co_await reader.readline());
  co_await ForeignAwaitable();
}

using Start = Coro<> (*)(const StreamReader&);

struct Row {
  const char* method;
  Start start;
  const char* before;     // What is buffered when the read begins to wait. Not enough.
  const char* left;       // What is buffered after the cancellation.
  const char* enough;     // What comes in the pass of the cancellation, and would have been enough.
  const char* left_both;  // What is then buffered.
};

// docs/cancellation.md has these rows in this order.
const std::vector<Row> reads = {
    {"read(n)", [](const StreamReader& r) { return only(r.read(4).owning()); },  //
     "", "", "abcd", "abcd"},
    {"read(-1)", [](const StreamReader& r) { return only(r.read(-1).owning()); },  //
     "ab", "ab", "cd", "abcd"},
    {"readexactly", [](const StreamReader& r) { return only(r.readexactly(4).owning()); },  //
     "ab", "ab", "cd", "abcd"},
    {"readuntil", [](const StreamReader& r) { return only(r.readuntil("\r\n").owning()); }, "ab\r",
     "ab\r", "\n", "ab\r\n"},
    {"readuntil, several",
     [](const StreamReader& r) { return only(r.readuntil({"\r\n", ";"}).owning()); },  //
     "ab\r", "ab\r", ";", "ab\r;"},
    {"readline", [](const StreamReader& r) { return only(r.readline().owning()); },  //
     "ab", "ab", "\n", "ab\n"},
    {"next_line", [](const StreamReader& r) { return only(r.next_line().owning()); },  //
     "ab", "ab", "\n", "ab\n"},
    {"readuntil_view", [](const StreamReader& r) { return only(r.readuntil_view(";").owning()); },
     "ab", "ab", ";", "ab;"},
    {"readline_view", [](const StreamReader& r) { return only(r.readline_view().owning()); },  //
     "ab", "ab", "\n", "ab\n"},
    {"readuntil_piece", [](const StreamReader& r) { return only(r.readuntil_piece(";").owning()); },
     "ab", "ab", ";", "ab;"},
    {"peek", [](const StreamReader& r) { return only(r.peek(4).owning()); },  //
     "ab", "ab", "cd", "abcd"},
    {"discard_until", [](const StreamReader& r) { return only(r.discard_until("\r\n").owning()); },
     "ab\r", "\r", "\nc", "\r\nc"},
};

struct Paused : ReaderLoop {
  Paused() { protocol->pause_writing(); }
  std::shared_ptr<MockTransport> mock = std::make_shared<MockTransport>();
  std::shared_ptr<FlowControlMixin> protocol = std::make_shared<FlowControlMixin>();
  StreamWriter writer{mock, protocol, std::nullopt, &loop};
};

}  // namespace

TEST_SUITE("streams/cancellation") {
  TEST_CASE("cancellation: before its first step a read touches nothing") {
    for (const Row& row : reads) {
      INFO(row.method);
      ReaderLoop test;
      const StreamReader reader = test.make_reader();
      reader.feed_data(std::string(row.before) + row.enough);
      const Task<> task = test.loop.create_task(row.start(reader));
      task.cancel();
      test.settle();
      CHECK(said(task) == "CancelledError");
      CHECK(reader.state().buffered() == std::string(row.before) + row.enough);
    }
  }

  TEST_CASE("cancellation: while it waits a read leaves what the table says") {
    for (const Row& row : reads) {
      INFO(row.method);
      ReaderLoop test;
      const StreamReader reader = test.make_reader();
      reader.feed_data(row.before);
      const Task<> task = test.loop.create_task(row.start(reader));
      test.settle();
      CHECK(said(task) == "PENDING");
      task.cancel();
      test.settle();
      CHECK(said(task) == "CancelledError");
      CHECK(reader.state().buffered() == row.left);
    }
  }

  TEST_CASE("cancellation: with enough in the same pass a read leaves that, too") {
    for (const Row& row : reads) {
      for (const bool cancel_first : {true, false}) {
        INFO(row.method, cancel_first);
        ReaderLoop test;
        const StreamReader reader = test.make_reader();
        reader.feed_data(row.before);
        const Task<> task = test.loop.create_task(row.start(reader));
        test.settle();
        if (cancel_first) task.cancel();
        reader.feed_data(row.enough);
        if (!cancel_first) task.cancel();
        test.settle();
        CHECK(said(task) == "CancelledError");
        CHECK(reader.state().buffered() == row.left_both);
      }
    }
  }

  TEST_CASE("cancellation: by wait_for a read leaves the same") {
    for (const Row& row : reads) {
      INFO(row.method);
      ReaderLoop test;
      const StreamReader reader = test.make_reader();
      reader.feed_data(row.before);
      const Task<> task = test.loop.create_task(weir::wait_for(row.start(reader), 1s));
      test.settle();
      test.advance(1s);
      CHECK(said(task) == "TimeoutError");
      CHECK(reader.state().buffered() == row.left);
    }
  }

  TEST_CASE("cancellation: by the read time-out a read leaves the same") {
    for (const Row& row : reads) {
      INFO(row.method);
      ReaderLoop test;
      const StreamReader reader = test.make_reader();
      reader.set_read_timeout(1s);
      reader.feed_data(row.before);
      const Task<> task = test.loop.create_task(row.start(reader));
      test.settle();
      test.advance(1s);
      CHECK(said(task).starts_with("TimeoutError"));
      CHECK(reader.state().buffered() == row.left);
    }
  }

  TEST_CASE("cancellation: the next read of a task that goes on finds the stream whole") {
    for (const Row& row : reads) {
      INFO(row.method);
      ReaderLoop test;
      const StreamReader reader = test.make_reader();
      reader.feed_data(row.before);
      const Task<> cancelled = test.loop.create_task(row.start(reader));
      test.settle();
      cancelled.cancel();
      test.settle();
      const Task<> again = test.loop.create_task(row.start(reader));
      test.settle();
      CHECK(said(again) == "PENDING");
      reader.feed_data(row.enough);
      reader.feed_eof();
      test.settle();
      CHECK(said(again) == "done");
    }
  }

  // Its turn was the read's, while that waited.
  TEST_CASE_FIXTURE(ReaderLoop, "cancellation: a task that is stuck after a read ends cancelled") {
    const StreamReader reader = make_reader();
    const Task<> task = loop.create_task(reads_and_is_stuck(reader));
    settle();
    feed(reader, "line\n");
    CHECK(take_reports().size() == 1);
    CHECK_FALSE(task.done());
    task.cancel();
    settle();
    CHECK(task.cancelled());
  }

  TEST_CASE_FIXTURE(Paused, "cancellation: write_all and drain leave what was written on its way") {
    const Task<> all = loop.create_task(writer.write_all("page"));
    const Task<> drain = loop.create_task(writer.drain());
    settle();
    all.cancel();
    drain.cancel();
    settle();
    CHECK(said(all) == "CancelledError");
    CHECK(said(drain) == "CancelledError");
    CHECK(mock->written == "page");
    CHECK(protocol->drain_waiters().empty());
    CHECK(mock->closes == 0);
  }

  TEST_CASE_FIXTURE(Paused, "cancellation: write_all, before its first step, has written") {
    const Task<> task = loop.create_task(writer.write_all("page"));
    task.cancel();
    settle();
    CHECK(said(task) == "CancelledError");
    CHECK(mock->written == "page");
  }

  TEST_CASE_FIXTURE(StreamLoop, "cancellation: wait_closed leaves the connection to its end") {
    const Connected made = connect();
    const Task<> task = loop.create_task(made.writer.wait_closed());
    turn();
    made.writer.close();
    task.cancel();
    turn();
    CHECK(said(task) == "CancelledError");
    const Task<> later = loop.create_task(made.writer.wait_closed());
    turn();
    CHECK(said(later) == "done");
  }

  TEST_CASE_FIXTURE(StreamLoop, "cancellation: close_within leaves it closing, deadline and all") {
    const Connected made = connect(weir::default_limit_bytes, 10);
    made.writer.write("01234567890123456789");
    const Task<> task = loop.create_task(only(made.writer.close_within(5s)));
    turn();
    task.cancel();
    turn();
    CHECK(said(task) == "CancelledError");
    CHECK(made.writer.is_closing());
    CHECK(made.writer.transport()->get_write_buffer_size() == 10);
    CHECK(loop.timers().size() == 1);
  }

  TEST_CASE_FIXTURE(StreamLoop, "cancellation: open_connection closes what it has made") {
    int fds[2];
    REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
    weir::Socket sock(kernel, fds[0]);
    const Task<weir::Streams> task = loop.create_task(weir::open_connection({.sock = &sock}));
    pass();
    task.cancel();
    turn();
    CHECK(task.cancelled());
    CHECK(kernel.at_eof(fds[1]));
  }
}
