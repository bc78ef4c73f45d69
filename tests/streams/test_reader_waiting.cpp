// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
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

std::string refusal(const std::string& function) {
  return "RuntimeError: " + function +
         "() called while another coroutine is already waiting for incoming data";
}

/// Counts how often its coroutine has gone on.
Coro<> counts_lines(StreamReader reader, int* lines) {
  while (const std::optional<std::string> line = co_await reader.next_line()) ++*lines;
}

}  // namespace

TEST_SUITE("streams/reader_waiting") {
  // CPython: measured for each call
  TEST_CASE("second reader: is told which function it called; readline says readuntil") {
    const std::vector<std::pair<ReadCall, std::string>> table = {
        {weir::test::read(1), "read"},
        {weir::test::read(-1), "read"},
        {weir::test::readexactly(9), "readexactly"},
        {weir::test::readuntil("\r\n"), "readuntil"},
        {weir::test::readuntil_any({"\r\n", "\n"}), "readuntil"},
        {weir::test::readline(), "readuntil"},
        {{ReadCall::Kind::next_line}, "readuntil"},
    };
    for (const auto& [call, function] : table) {
      ReaderLoop test;
      const StreamReader reader = test.make_reader();
      const Task<std::string> first = test.run(reader, weir::test::readexactly(3));
      CHECK(said(test.run(reader, call)) == refusal(function));
      CHECK(said(first) == "PENDING");
      test.feed(reader, "abc");
      CHECK(said(first) == R"("abc")");
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "second reader: a refused read(-1) has taken nothing") {
    const StreamReader reader = make_reader();
    reader.feed_data("ab");
    const Task<std::string> first = run(reader, weir::test::readexactly(3));
    CHECK(said(run(reader, weir::test::read(-1))) == refusal("read"));
    CHECK(reader.state().buffered() == "ab");
    feed(reader, "cd");
    CHECK(said(first) == R"("abc")");
    CHECK(reader.state().buffered() == "d");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "second reader: refused, it leaves what read(-1) has collected") {
    const StreamReader reader = make_reader();
    reader.feed_data("ab");
    const Task<std::string> all = run(reader, weir::test::read(-1));
    CHECK(said(run(reader, weir::test::readline())) == refusal("readuntil"));
    CHECK(said(run(reader, weir::test::read(-1))) == refusal("read"));
    reader.feed_data("cd");
    reader.feed_eof();
    settle();
    CHECK(said(all) == R"("abcd")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "second reader: may read what is there while the first one waits") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc");
    const Task<std::string> first = run(reader, weir::test::readexactly(10));
    CHECK(said(run(reader, weir::test::read(5))) == R"("abc")");
    feed(reader, "0123456789");
    CHECK(said(first) == R"("0123456789")");
  }

  // asyncio erases the second waiter when the first one resumes: it is never woken again.
  TEST_CASE_FIXTURE(ReaderLoop, "second reader: may wait once the first is woken, and is woken") {
    const StreamReader reader = make_reader();
    const Task<std::string> first = run(reader, weir::test::read(1));
    const Task<std::string> second = start(reader, weir::test::readexactly(3));
    reader.feed_data("x");  // The second one's first step comes before the first one's resumption.
    settle();
    CHECK(said(first) == R"("x")");
    CHECK(said(second) == "PENDING");
    feed(reader, "abc");
    CHECK(said(second) == R"("abc")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "second reader: a woken read that needs more is refused in turn") {
    const StreamReader reader = make_reader();
    const Task<std::string> first = run(reader, weir::test::readexactly(5));
    const Task<std::string> second = start(reader, weir::test::readexactly(3));
    reader.feed_data("x");
    settle();
    CHECK(said(first) == refusal("readexactly"));
    feed(reader, "yz");
    CHECK(said(second) == R"("xyz")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "second reader: a read(-1) that finds the place taken gives back") {
    const StreamReader reader = make_reader();
    reader.feed_data("ab");
    const Task<std::string> all = run(reader, weir::test::read(-1));
    const Task<std::string> second = start(reader, weir::test::readexactly(5));
    reader.feed_data("c");
    settle();
    CHECK(said(all) == refusal("read"));
    feed(reader, "de");
    CHECK(said(second) == R"("abcde")");
  }

  // Measured: CPython 3.7.16, 3.11.7 and 3.13.0
  TEST_CASE_FIXTURE(ReaderLoop,
                    "second reader: a read(-1) at the end leaves the first one its own") {
    const StreamReader reader = make_reader();
    reader.feed_data("ab");
    const Task<std::string> first = run(reader, weir::test::read(-1));
    const Task<std::string> second = start(reader, weir::test::read(-1));
    reader.feed_eof();  // The second one's first step comes before the first one's resumption.
    settle();
    CHECK(said(first) == R"("ab")");
    CHECK(said(second) == R"("")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "second reader: a read(-1) that starts while one is woken waits") {
    const StreamReader reader = make_reader();
    reader.feed_data("ab");
    const Task<std::string> first = run(reader, weir::test::read(-1));
    const Task<std::string> second = start(reader, weir::test::read(-1));
    reader.feed_data("c");
    settle();
    CHECK(said(first) == refusal("read"));
    reader.feed_eof();
    settle();
    CHECK(said(second) == R"("abc")");
  }

  // asyncio's read() does not look twice: its empty result would pass for the end of the stream.
  TEST_CASE_FIXTURE(ReaderLoop, "read: whose bytes were taken by another call goes on waiting") {
    const StreamReader reader = make_reader();
    const Task<std::string> first = run(reader, weir::test::read(5));
    const Task<std::string> thief = start(reader, weir::test::read(5));
    reader.feed_data("xy");
    settle();
    CHECK(said(thief) == R"("xy")");
    CHECK(said(first) == "PENDING");
    feed(reader, "z");
    CHECK(said(first) == R"("z")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "wake-up: resumes in a later pass, never inside feed_data") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readline());
    reader.feed_data("a\n");
    CHECK(said(task) == "PENDING");
    pass();
    CHECK(said(task) == R"("a\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "wake-up: several chunks of one pass are looked at together") {
    const StreamReader reader = make_reader(4);
    const Task<std::string> task = run(reader, weir::test::readline());
    reader.feed_data("abcd");
    reader.feed_data("ef");
    reader.feed_data("\n");
    pass();
    CHECK(said(task) == "ValueError: found");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "wake-up: bytes that do not suffice do not resume the coroutine") {
    const StreamReader reader = make_reader();
    int lines = 0;
    const Task<> task = loop.create_task(counts_lines(reader, &lines));
    settle();
    for (int i = 0; i < 5; ++i) feed(reader, "x");
    CHECK(lines == 0);
    feed(reader, "\n\n");
    CHECK(lines == 2);
    reader.feed_eof();
    settle();
    CHECK(task.done());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "wake-up: the end of the stream after bytes is seen with them") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readexactly(5));
    reader.feed_data("abc");
    reader.feed_eof();
    settle();
    CHECK(said(task) == R"(IRE("abc", 5))");
  }

  // CPython: measured on 3.7, 3.11 and 3.13: the loop of readexactly() looks at the buffer alone.
  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: after the bytes that sufficed, does not matter") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readexactly(3));
    reader.feed_data("abc");
    reader.set_exception(weir::ValueError("boom"));
    settle();
    CHECK(said(task) == R"("abc")");
    CHECK(said(run(reader, weir::test::read(1))) == "ValueError: boom");
  }

  // CPython: measured as above
  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: before the bytes that would suffice, is thrown") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readexactly(3));
    reader.set_exception(weir::ValueError("boom"));
    reader.feed_data("abc");
    settle();
    CHECK(said(task) == "ValueError: boom");
    CHECK(reader.state().buffered() == "abc");
  }

  // asyncio waits for ever here.
  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: after bytes that do not suffice, is thrown") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readexactly(3));
    reader.feed_data("ab");
    reader.set_exception(weir::ValueError("boom"));
    settle();
    CHECK(said(task) == "ValueError: boom");
    CHECK(reader.state().buffered() == "ab");
  }

  // CPython: measured as above
  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: read(-1) looks at it before every piece") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::read(-1));
    reader.feed_data("abc");
    reader.feed_eof();
    reader.set_exception(weir::ValueError("boom"));
    settle();
    CHECK(said(task) == "ValueError: boom");
    CHECK(reader.state().buffered() == "abc");
  }

  // Measured: CPython 3.7.16, 3.11.7 and 3.13.0
  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: read(-1) that the end has woken has all it needs") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc");
    const Task<std::string> task = run(reader, weir::test::read(-1));
    reader.feed_eof();
    reader.set_exception(weir::ValueError("boom"));
    settle();
    CHECK(said(task) == R"("abc")");
  }

  // asyncio's waiting read gets the first of the two, its next one the second.
  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: of two in one pass the second is thrown by all") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::read(1));
    reader.set_exception(weir::ValueError("boom"));
    reader.set_exception(weir::ValueError("bang"));
    settle();
    CHECK(said(task) == "ValueError: bang");
    CHECK(said(run(reader, weir::test::read(1))) == "ValueError: bang");
  }

  // CPython: test_streams.py test_exception_waiter
  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: a read that waits throws the very same object") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readline());
    const std::exception_ptr error = std::make_exception_ptr(weir::ValueError("boom"));
    reader.set_exception(error);
    settle();
    CHECK(task.exception() == error);
  }

  // CPython: measured
  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: readline gives an IncompleteReadError's partial") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readline());
    reader.set_exception(weir::IncompleteReadError("pp", std::nullopt));
    settle();
    CHECK(said(task) == R"("pp")");
    CHECK(said(run(reader, weir::test::readuntil("\n"))) == R"(IRE("pp", undefined))");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "pause: twice the limit does not pause, one byte more does") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("01234567");
    CHECK(transport.flow.empty());
    reader.feed_data("8");
    CHECK(transport.flow == "P");
    reader.feed_data("9");
    CHECK(transport.flow == "P");
    CHECK(said(run(reader, weir::test::read(5))) == R"("01234")");
    CHECK(transport.flow == "P");
    CHECK(said(run(reader, weir::test::read(1))) == R"("5")");
    CHECK(transport.flow == "PR");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "pause: a read that must wait resumes, and the next chunk pauses") {
    const StreamReader reader = make_reader(1);
    reader.feed_data("abc");
    const Task<std::string> task = run(reader, weir::test::readexactly(7));
    CHECK(transport.flow == "PR");
    feed(reader, "d");
    CHECK(transport.flow == "PRPR");
    feed(reader, "efg");
    CHECK(said(task) == R"("abcdefg")");
    CHECK(transport.flow == "PRPRPR");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "pause: an answer that empties nothing does not resume") {
    const StreamReader reader = make_reader(2);
    reader.feed_data("abcdef");
    reader.feed_eof();
    CHECK(said(run(reader, weir::test::readexactly(10))) == R"(IRE("abcdef", 10))");
    CHECK(said(run(reader, weir::test::read(0))) == R"("")");
    CHECK(said(run(reader, weir::test::readexactly(0))) == R"("")");
    CHECK(transport.flow == "P");
    CHECK(said(run(reader, weir::test::read(-1))) == R"("")");
    CHECK(transport.flow == "PR");
  }

  // CPython: measured: the reader forgets the transport for good
  TEST_CASE_FIXTURE(ReaderLoop, "pause: a transport that cannot is not asked a second time") {
    const StreamReader reader = make_reader(1);
    int asked = 0;
    transport.pausing = [&] {
      ++asked;
      throw weir::NotImplementedError("");
    };
    for (int i = 0; i < 10; ++i) reader.feed_data("abc");
    CHECK(asked == 1);
    CHECK(reader.buffered_bytes() == 30);
    CHECK_FALSE(reader.state().paused());
    CHECK(said(run(reader, weir::test::readexactly(30))).size() == 32);
    CHECK(transport.flow.empty());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "pause: another failure is feed_data's, and the bytes are kept") {
    const StreamReader reader = make_reader(1);
    const Task<std::string> task = run(reader, weir::test::readexactly(3));
    transport.pausing = [] { throw std::runtime_error("jammed"); };
    CHECK_THROWS_WITH(reader.feed_data("abc"), "jammed");
    CHECK_FALSE(reader.state().paused());
    settle();
    CHECK(said(task) == R"("abc")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "resume: a failure is the call's, and the reader is usable") {
    const StreamReader reader = make_reader(1);
    reader.feed_data("abc");
    transport.resuming = [] { throw std::runtime_error("jammed"); };
    CHECK(said(run(reader, weir::test::readexactly(5))).ends_with("jammed"));
    transport.resuming = nullptr;
    const Task<std::string> task = run(reader, weir::test::readexactly(5));
    feed(reader, "de");
    CHECK(said(task) == R"("abcde")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "resume: a failure while it waits on does not reach the loop") {
    const StreamReader reader = make_reader(1);
    const Task<std::string> task = run(reader, weir::test::readexactly(5));
    transport.resuming = [] { throw std::runtime_error("jammed"); };
    reader.feed_data("abc");
    CHECK_NOTHROW(settle());
    CHECK(said(task).ends_with("jammed"));
    CHECK(reader.state().buffered() == "abc");
  }

  TEST_CASE_FIXTURE(ReaderLoop,
                    "resume: a transport that cancels the reading task has it queued once") {
    const StreamReader reader = make_reader(1);
    const Task<std::string> task = run(reader, weir::test::readexactly(5));
    transport.resuming = [&] { task.cancel(); };
    loop.call_soon([&] { reader.feed_data("abc"); });
    loop.call_soon([&] { loop.call_soon([&] { reader.feed_data("de"); }); });
    settle();
    CHECK(task.cancelled());
    CHECK(reader.state().buffered() == "abcde");
    CHECK(loop.ready().empty());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "resume: a failure gives back what read(-1) had collected") {
    const StreamReader reader = make_reader(1);
    const Task<std::string> task = run(reader, weir::test::read(-1));
    feed(reader, "ab");
    transport.resuming = [] { throw std::runtime_error("jammed"); };
    reader.feed_data("cde");
    settle();
    CHECK(said(task).ends_with("jammed"));
    CHECK(reader.state().buffered() == "abcde");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "wait: a task of another loop is refused") {
    ReaderLoop other;
    const StreamReader reader = make_reader();
    const Task<std::string> task = other.run(reader, weir::test::readline());
    CHECK(said(task).starts_with("RuntimeError: Task <Task pending"));
    CHECK(said(task).ends_with(" attached to a different loop"));
    feed(reader, "x\n");
    CHECK(said(run(reader, weir::test::readline())) == R"("x\n")");
  }

  TEST_CASE("lifetime: a reader that outlives its loop still gives what it holds") {
    std::optional<StreamReader> reader;
    {
      ReaderLoop gone;
      reader.emplace(gone.loop, 4);
      reader->feed_data("line\nrest");
    }
    ReaderLoop test;
    CHECK(said(test.run(*reader, weir::test::readline())) == R"("line\n")");
    CHECK(said(test.run(*reader, weir::test::read(9))) == R"("rest")");
    CHECK(said(test.run(*reader, weir::test::read(9))).ends_with("attached to a different loop"));
  }

  TEST_CASE_FIXTURE(ReaderLoop, "lifetime: a task keeps the reader whose handle is gone") {
    std::optional<Task<std::string>> task;
    {
      const StreamReader reader = make_reader();
      const std::string separator = "a separator that is longer than what a string holds inside";
      task.emplace(loop.create_task(reader.readuntil(separator)));
    }
    settle();
    CHECK(said(*task) == "PENDING");
    task->cancel();
    settle();
    CHECK(said(*task) == "CancelledError");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "lifetime: a task keeps the reader and every separator of a set") {
    std::optional<Task<std::string>> task;
    std::optional<StreamReader> reader(make_reader());
    {
      const std::string longer = "a separator that is longer than what a string holds inside";
      task.emplace(loop.create_task(reader->readuntil({longer, std::string("\r\n"), "END"})));
    }
    settle();
    reader->feed_data("text\r\n");
    reader.reset();
    settle();
    CHECK(said(*task) == R"("text\r\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "lifetime: wait_for and outcome keep the reader") {
    std::optional<Task<std::string>> timed;
    std::optional<Task<weir::Outcome<std::string>>> tried;
    {
      const StreamReader first = make_reader();
      timed.emplace(loop.create_task(weir::wait_for(first.readexactly(3), 1s)));
      const StreamReader second(loop);
      tried.emplace(loop.create_task(weir::outcome(second.readline())));
    }
    settle();
    advance(2s);
    CHECK(said(*timed) == "TimeoutError");
    tried->cancel();
    settle();
    CHECK(tried->result().cancelled());
  }
}
