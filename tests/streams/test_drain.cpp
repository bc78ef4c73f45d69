// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
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

/// A protocol and a writer over a transport that does nothing.
struct Paused : ReaderLoop {
  std::shared_ptr<MockTransport> mock = std::make_shared<MockTransport>();
  std::shared_ptr<FlowControlMixin> protocol = std::make_shared<FlowControlMixin>();
  StreamWriter writer{mock, protocol, std::nullopt, &loop};
};

Coro<> drains_many_times(StreamWriter writer, int times) {
  for (; times > 0; --times) co_await writer.drain();
}

Coro<> drains_and_notes(StreamWriter writer, int number, std::vector<int>* order) {
  co_await writer.drain();
  order->push_back(number);
}

}  // namespace

TEST_SUITE("streams/drain") {
  // Every row was measured on CPython; the first column is asyncio's situation.
  TEST_CASE("drain: each situation of asyncio's table ends as asyncio's does") {
    run_rows({
        {"buffer not over the high-water mark: returns", "write:110 drain:a = a?done"},
        {"one byte over it: waits until the low one",
         "write:111 drain:a . a?pending take . a?pending take . take . take . take . a?pending "
         "take . a?pending take . a?pending take . a?pending take . a?done"},
        {"a second concurrent drain while paused: waits too",
         "write:200 drain:a drain:b . a?pending b?pending abort . a?done b?done"},
        {"after close() with nothing buffered: lost, first and later",
         "close drain:a . a?lost drain:b . b?lost"},
        {"after close(), paused: waits, succeeds when flushed; the next one is lost",
         "write:111 close drain:a . a?pending take . take . take . take . take . take . take . "
         "take . take . take . take . take . a?done drain:b . b?lost"},
        {"after close(), buffered below the mark: one pass, not the flush",
         "write:50 close drain:a = a?pending = a?done drain:b = = b?done"},
        {"abort() while a drain waits: returns; so do wait_closed and a pending read",
         "write:200 drain:a closed:b read:c . a?pending b?pending c?pending abort . a?done b?done "
         "c?\"\""},
        {"write hit EPIPE: the first drain is lost, the second has the real error",
         "epipe send:a . a?lost drain:b . b?epipe"},
        {"peer RST while a drain and a read wait: both have it, and so do later ones",
         "write:200 drain:a read:b . a?pending b?pending rst . a?reset b?reset drain:c closed:d "
         ". c?reset d?reset"},
        {"peer RST with unread data buffered: it is unreachable",
         "put:unread . rst . read:a . a?reset"},
        {"orderly close by the peer: first write succeeds, later ones do not",
         "eof . send:a . a?done epipe send:b closed:c . b?lost c?epipe"},
        {"a writer without reader: the error of the reader is not looked at",
         "epipe send:a . a?lost drain:b . b?lost", false},
    });
  }

  TEST_CASE_FIXTURE(StreamLoop, "drain: a reset gives drain and read the very same object") {
    WriterScript script(*this);
    script.run("write:200 drain:a read:b . rst . drain:c closed:d .");
    const std::exception_ptr error = script.task("a").exception();
    CHECK(error != nullptr);
    CHECK(script.reading("b").exception() == error);
    CHECK(script.task("c").exception() == error);
    CHECK(script.task("d").exception() == error);
  }

  // CPython: gh-75279
  TEST_CASE_FIXTURE(Paused, "drain: below the mark gives up no pass, however often") {
    const Task<> task = loop.create_task(drains_many_times(writer, 1000));
    pass();
    CHECK(task.done());
  }

  TEST_CASE_FIXTURE(Paused, "drain: on a closing transport gives up exactly one pass") {
    mock->closing = true;
    const Task<> task = loop.create_task(drains_many_times(writer, 3));
    pass(3);
    CHECK_FALSE(task.done());
    pass();
    CHECK(task.done());
  }

  TEST_CASE_FIXTURE(Paused, "drain: the same one awaited again begins anew") {
    const auto drains_twice = [](StreamWriter its) -> Coro<> {
      weir::Drain drain = its.drain();
      co_await drain;
      co_await drain;
    };
    protocol->pause_writing();
    const Task<> task = loop.create_task(drains_twice(writer));
    settle();
    protocol->resume_writing();
    SUBCASE("at once") { settle(); }
    SUBCASE("after waiting again") {
      protocol->pause_writing();
      settle();
      CHECK_FALSE(task.done());
      protocol->resume_writing();
      settle();
    }
    CHECK(said(task) == "done");
  }

  // CPython 3.11: test_streams.py test_multiple_drain
  TEST_CASE_FIXTURE(Paused, "B47: a hundred drains at once are released first in, first out") {
    protocol->pause_writing();
    std::vector<int> order;
    std::vector<int> expected;
    std::vector<Task<>> tasks;
    for (int i = 0; i < 100; ++i) {
      tasks.push_back(loop.create_task(drains_and_notes(writer, i, &order)));
      expected.push_back(i);
    }
    settle();
    CHECK(order.empty());
    protocol->resume_writing();
    CHECK(order.empty());
    pass();
    CHECK(order == expected);
    CHECK(protocol->drain_waiters().empty());
  }

  TEST_CASE_FIXTURE(Paused, "drain: cancelling one of a hundred leaves the others in order") {
    protocol->pause_writing();
    std::vector<int> order;
    std::vector<int> expected;
    std::vector<Task<>> tasks;
    for (int i = 0; i < 100; ++i) {
      tasks.push_back(loop.create_task(drains_and_notes(writer, i, &order)));
      if (i != 50) expected.push_back(i);
    }
    settle();
    tasks[50].cancel();
    settle();
    CHECK(tasks[50].cancelled());
    CHECK(order.empty());
    protocol->resume_writing();
    settle();
    CHECK(order == expected);
    CHECK(protocol->drain_waiters().empty());
  }

  TEST_CASE_FIXTURE(Paused, "drain: cancelled in the pass that released it, it is cancelled") {
    protocol->pause_writing();
    const Task<> task = loop.create_task(writer.drain());
    settle();
    protocol->resume_writing();
    task.cancel();
    settle();
    CHECK(task.cancelled());
  }

  TEST_CASE_FIXTURE(Paused, "drain: cancelled while it gives up its pass, it is cancelled") {
    mock->closing = true;
    const Task<> task = loop.create_task(writer.drain());
    pass();
    task.cancel();
    settle();
    CHECK(task.cancelled());
  }

  TEST_CASE_FIXTURE(Paused, "drain: cancelled in that pass, it does not wait for room first") {
    mock->closing = true;
    protocol->pause_writing();
    const Task<> task = loop.create_task(writer.drain());
    pass();
    task.cancel();
    settle();
    CHECK(task.cancelled());
    CHECK(protocol->drain_waiters().empty());
  }

  TEST_CASE_FIXTURE(Paused, "drain: released, it does not look whether writing is paused again") {
    protocol->pause_writing();
    const Task<> task = loop.create_task(writer.drain());
    settle();
    protocol->resume_writing();
    protocol->pause_writing();
    settle();
    CHECK(task.done());
  }

  TEST_CASE_FIXTURE(Paused, "drain: paused after the pass that a closing one gives up, it waits") {
    mock->closing = true;
    const Task<> task = loop.create_task(writer.drain());
    pass();
    protocol->pause_writing();
    settle();
    CHECK_FALSE(task.done());
    protocol->connection_lost(nullptr);
    settle();
    CHECK(said(task) == "done");
  }

  TEST_CASE_FIXTURE(Paused, "drain: wait_for ends it in time, and leaves nobody in the list") {
    protocol->pause_writing();
    const Task<> task = loop.create_task(weir::wait_for(writer.drain(), 1s));
    settle();
    advance(1s);
    CHECK(said(task) == "TimeoutError");
    CHECK(protocol->drain_waiters().empty());
  }

  TEST_CASE_FIXTURE(Paused, "drain: the task keeps the writer whose handle is gone") {
    protocol->pause_writing();
    std::optional<StreamWriter> only(StreamWriter(mock, protocol, std::nullopt, &loop));
    const Task<> task = loop.create_task(only->drain());
    only.reset();
    settle();
    CHECK(mock->closes == 0);
    protocol->resume_writing();
    settle();
    CHECK(said(task) == "done");
    CHECK(mock->closes == 1);
  }

  TEST_CASE_FIXTURE(Paused, "drain: the stored exception of the reader comes first") {
    const weir::StreamReader reader(loop);
    const StreamWriter with_reader(mock, protocol, reader, &loop);
    reader.set_exception(weir::ValueError("boom"));
    protocol->pause_writing();
    const Task<> task = loop.create_task(with_reader.drain());
    pass();
    CHECK(said(task) == "ValueError: boom");
    CHECK(task.exception() == reader.exception());
  }

  // CPython: test_streams.py test_drain_raises; bpo-25441
  TEST_CASE_FIXTURE(StreamLoop, "drain: a loop that only writes hears that its peer has gone") {
    Connected made = connect();
    const auto writes_for_ever = [](StreamWriter writer) -> weir::Coro<> {
      for (;;) {
        writer.write("foo\n");
        co_await writer.drain();
        co_await weir::sleep(0s);
      }
    };
    const Task<> task = loop.create_task(writes_for_ever(made.writer));
    pass(3);
    CHECK_FALSE(task.done());
    kernel.reset(made.theirs);
    while (!task.done()) pass();
    CHECK_THROWS_AS(task.result(), weir::ConnectionResetError);
  }

  // cpython#74116: a drain() that never gives up a pass never lets connection_lost in.
  TEST_CASE_FIXTURE(StreamLoop,
                    "B47: a loop of writes and drains alone ends when its peer is gone") {
    Connected made = connect();
    int rounds = 0;
    const auto floods = [](StreamWriter writer, int* count) -> Coro<> {
      while (++*count < 100'000) {
        writer.write(std::string(1000, 'x'));
        co_await writer.drain();
      }
    };
    kernel.reset(made.theirs);
    const Task<> task = loop.create_task(floods(made.writer, &rounds));
    turn();
    CHECK(said(task) == "ConnectionResetError: Connection lost");
    // What may be gathered before it must be sent, and two more.
    CHECK(rounds <= 65'536 / 1000 + 2);
  }

  // CVE-2024-12254: the same, by another call, had no bound.
  TEST_CASE_FIXTURE(StreamLoop, "B38: who drains has no more waiting than the mark and one write") {
    Connected made = connect(weir::default_limit_bytes, 1);
    made.writer.transport()->set_write_buffer_limits(10'000);
    std::size_t most = 0;
    int writes = 0;
    const auto floods = [](StreamWriter writer, std::size_t* most_bytes, int* count) -> Coro<> {
      const std::string half(500, 'x');
      for (;;) {
        writer.writelines({half, half});
        ++*count;
        *most_bytes = std::max(*most_bytes, writer.transport()->get_write_buffer_size());
        co_await writer.drain();
      }
    };
    const Task<> task = loop.create_task(floods(made.writer, &most, &writes));
    for (int i = 0; i < 5; ++i) {
      turn();
      kernel.set_capacity(made.writer.get_extra_info("socket").socket()->fd(), 9'000);
      kernel.take(made.theirs);
    }
    CHECK(writes > 20);
    CHECK(most > 10'000);
    CHECK(most <= 11'001);
    task.cancel();
    settle();
  }

  TEST_CASE_FIXTURE(StreamLoop, "drain: what is gathered counts, and is sent before it waits") {
    Connected made = connect(weir::default_limit_bytes, 10);
    made.writer.transport()->set_write_buffer_limits(100, 20);
    made.writer.write(std::string(60, 'x'));
    made.writer.write(std::string(60, 'y'));
    const Task<> task = loop.create_task(made.writer.drain());
    turn();
    CHECK_FALSE(task.done());
    std::string received;
    for (int i = 0; i < 20; ++i) {
      received += kernel.take(made.theirs);
      turn();
    }
    CHECK(said(task) == "done");
    CHECK(received == std::string(60, 'x') + std::string(60, 'y'));
  }

  TEST_CASE("close: of the loop ends a drain that waits") {
    StreamLoop test;
    WriterScript script(test);
    script.run("write:200 drain:a . a?pending");
    test.loop.close();
    CHECK(script.task("a").done());
  }
}
