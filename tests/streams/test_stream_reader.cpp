// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net/read_block.hpp>
#include <weir/reactor/task/sleep.hpp>

#include <tests/streams/stream_fixture.hpp>
#include <tests/streams/stream_loop.hpp>

using weir::Coro;
using weir::StreamReader;
using weir::Task;
using weir::detail::ReadBlock;
using weir::test::Connected;
using weir::test::ReaderLoop;
using weir::test::said;
using weir::test::StreamLoop;

namespace {

Coro<std::string> joined_lines(StreamReader reader) {
  std::string lines;
  while (const std::optional<std::string> line = co_await reader.next_line()) lines += *line + "|";
  co_return lines;
}

/// `size` bytes, no two neighbours alike: a byte lost or moved is seen. One in 90 is a "!".
std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('!' + i * 7 % 90);
  return text;
}

/// Reads up to the end, by whatever call the numbers say.
Coro<> reads_at_random(StreamReader reader, std::mt19937* random, std::string* got) {
  while (!reader.at_eof()) {
    const auto call = (*random)() % 5;
    const auto size = static_cast<std::ptrdiff_t>((*random)() % 400 + 1);
    if (call == 0) *got += co_await reader.read(size);
    if (call == 1) *got += co_await reader.readexactly(size);
    if (call == 2) *got += co_await reader.readuntil("!");
    if (call == 3) *got += co_await reader.readline({.limit = 1'000'000});
    if (call == 4) co_await reader.peek(size);
  }
}

/// Looks at each view before the next call, as the contract has it.
Coro<std::string> joined_views(StreamReader reader) {
  std::string lines;
  for (bool more = true; more;) {
    const std::string_view line = co_await reader.readline_view();
    lines += std::string(line) + "|";
    more = !line.empty();
  }
  co_return lines;
}

struct Seen {
  std::string text;
  bool in_the_block = false;
};

/// Reads `count` lines without a copy, and says of each whether it lay in the loop's block.
Coro<> looks_where(StreamReader reader, int count, std::vector<Seen>* seen) {
  const ReadBlock& block = weir::get_running_loop().service<ReadBlock>();
  for (; count > 0; --count) {
    const std::string_view line = co_await reader.readline_view();
    seen->push_back({std::string(line), block.holds(line.data())});
  }
}

}  // namespace

TEST_SUITE("streams/stream_reader") {
  TEST_CASE("StreamReader: without a running loop there is none to belong to") {
    CHECK_THROWS_WITH_AS(StreamReader(), "no running event loop", weir::RuntimeError);
  }

  // CPython: test_streams.py test_invalid_limit
  TEST_CASE_FIXTURE(ReaderLoop, "StreamReader: a limit of zero or less is refused") {
    CHECK_THROWS_WITH_AS(StreamReader(loop, 0), "Limit cannot be <= 0", weir::ValueError);
    CHECK_THROWS_WITH_AS(StreamReader(loop, -1), "Limit cannot be <= 0", weir::ValueError);
    CHECK_THROWS_WITH_AS(StreamReader(0), "Limit cannot be <= 0", weir::ValueError);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "B50: the limit of a reader is 64 KiB unless said otherwise") {
    CHECK(StreamReader(loop).limit() == 65536);
    CHECK(StreamReader(loop, 7).limit() == 7);
  }

  TEST_CASE_FIXTURE(ReaderLoop,
                    "B51: the largest limit of a reader does not overflow its ceiling") {
    const StreamReader reader = make_reader(PTRDIFF_MAX);
    reader.feed_data("some");
    CHECK(transport.flow.empty());
    CHECK(said(run(reader, weir::test::read(4))) == R"("some")");
  }

  // CPython: test_streams.py test_feed_empty_data
  TEST_CASE_FIXTURE(ReaderLoop, "feed_data: nothing changes nothing, and wakes nobody") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::read(1));
    reader.feed_data("");
    CHECK(loop.ready().empty());
    CHECK(reader.buffered_bytes() == 0);
    task.cancel();
    settle();
  }

  // CPython: test_streams.py test_feed_nonempty_data
  TEST_CASE_FIXTURE(ReaderLoop, "feed_data: adds to what is there") {
    const StreamReader reader = make_reader();
    reader.feed_data("da");
    reader.feed_data("ta");
    CHECK(reader.state().buffered() == "data");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "feed_data: after feed_eof is an assertion, even with nothing") {
    const StreamReader reader = make_reader();
    reader.feed_eof();
    CHECK_THROWS_WITH_AS(reader.feed_data(""), "feed_data after feed_eof", weir::AssertionError);
    CHECK_THROWS_WITH_AS(reader.feed_data("x"), "feed_data after feed_eof", weir::AssertionError);
    CHECK(reader.buffered_bytes() == 0);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "feed_eof: again is harmless") {
    const StreamReader reader = make_reader();
    reader.feed_data("x");
    reader.feed_eof();
    reader.feed_eof();
    CHECK(said(run(reader, weir::test::read(-1))) == R"("x")");
  }

  // CPython: test_streams.py test_at_eof
  TEST_CASE_FIXTURE(ReaderLoop, "at_eof: when the stream has ended and nothing is left") {
    const StreamReader reader = make_reader();
    CHECK_FALSE(reader.at_eof());
    reader.feed_data("some data\n");
    reader.feed_eof();
    CHECK_FALSE(reader.at_eof());
    run(reader, weir::test::readline());
    CHECK(reader.at_eof());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "at_eof: an error without an end leaves it false for ever") {
    const StreamReader reader = make_reader();
    reader.set_exception(weir::ValueError("boom"));
    CHECK_FALSE(reader.at_eof());
    CHECK(said(run(reader, weir::test::read(1))) == "ValueError: boom");
    CHECK_FALSE(reader.at_eof());
  }

  // CPython: test_streams.py test_exception
  TEST_CASE_FIXTURE(ReaderLoop, "exception: is none, then what was set, and never throws") {
    const StreamReader reader = make_reader();
    CHECK(reader.exception() == nullptr);
    const std::exception_ptr error = std::make_exception_ptr(weir::ValueError("boom"));
    reader.set_exception(error);
    CHECK(reader.exception() == error);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "exception: every read throws the very same object") {
    const StreamReader reader = make_reader();
    const std::exception_ptr error = std::make_exception_ptr(weir::ValueError("boom"));
    reader.set_exception(error);
    CHECK(run(reader, weir::test::read(2)).exception() == error);
    CHECK(run(reader, weir::test::readline()).exception() == error);
    CHECK(run(reader, weir::test::readexactly(1)).exception() == error);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: with nobody waiting is reported nowhere") {
    {
      const StreamReader reader = make_reader();
      reader.set_exception(weir::ValueError("boom"));
    }
    settle();
    CHECK(take_reports().empty());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: the second one takes the place of the first") {
    const StreamReader reader = make_reader();
    reader.set_exception(weir::ValueError("first"));
    reader.set_exception(weir::ValueError("second"));
    CHECK(said(run(reader, weir::test::readline())) == "ValueError: second");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: a null pointer is no exception") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readline());
    CHECK_THROWS_WITH_AS(reader.set_exception(std::exception_ptr()), "invalid exception object",
                         weir::ValueError);
    feed(reader, "x\n");
    CHECK(said(task) == R"("x\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "set_transport: twice is an assertion") {
    const StreamReader reader = make_reader();
    CHECK_THROWS_WITH_AS(reader.set_transport(transport), "Transport already set",
                         weir::AssertionError);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "StreamReader: copies name the same buffer") {
    const StreamReader reader = make_reader();
    const StreamReader copy = reader;  // NOLINT: the copy is what is tested
    copy.feed_data("x");
    CHECK(reader.buffered_bytes() == 1);
  }

  // CPython: test_streams.py test___repr__ and its family; measured
  TEST_CASE_FIXTURE(ReaderLoop, "repr: names what applies, in asyncio's order") {
    CHECK(StreamReader(loop).repr() == "<StreamReader>");
    const StreamReader reader = make_reader(4);
    CHECK(reader.repr() == "<StreamReader limit=4 transport=<T>>");
    reader.feed_data("012345678");
    reader.feed_eof();
    CHECK(reader.repr() == "<StreamReader 9 bytes eof limit=4 transport=<T> paused>");
    const StreamReader failed(loop);
    failed.set_exception(weir::ValueError("boom"));
    CHECK(failed.repr() == "<StreamReader exception=ValueError: boom>");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "repr: names who waits, until it is woken") {
    const StreamReader reader(loop);
    const Task<std::string> task = run(reader, weir::test::readline());
    task.set_name("lines");
    CHECK(reader.repr() == "<StreamReader waiter=<Task pending name='lines'>>");
    reader.feed_data("\n");
    CHECK(reader.repr() == "<StreamReader 1 bytes>");
    settle();
    CHECK(task.done());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "next_line: gives empty lines and the last one, then nothing") {
    const StreamReader reader = make_reader();
    reader.feed_data("a\n\nb\nlast");
    reader.feed_eof();
    const Task<std::string> lines = loop.create_task(joined_lines(reader));
    settle();
    CHECK(said(lines) == R"("a\n|\n|b\n|last|")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "next_line: after a line that was too long the next loop goes on") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("ab\nabcdefgh\nok\n");
    reader.feed_eof();
    const Task<std::string> first = loop.create_task(joined_lines(reader));
    settle();
    CHECK(said(first) == "ValueError: found");
    const Task<std::string> second = loop.create_task(joined_lines(reader));
    settle();
    CHECK(said(second) == R"("ok\n|")");
  }

  // CPython: measured: the three ways in which one long line can arrive
  TEST_CASE_FIXTURE(ReaderLoop,
                    "B57: what is left of a line that was too long comes as a line of its own") {
    const StreamReader reader = make_reader(4);
    const Task<std::string> long_line = run(reader, weir::test::readline());
    feed(reader, "abcde");
    CHECK(said(long_line) == "ValueError: notfound");
    feed(reader, "fgh\nok\n");
    CHECK(said(run(reader, weir::test::readline())) == R"("fgh\n")");
    CHECK(said(run(reader, weir::test::readline())) == R"("ok\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: consumed says how to recover from an overrun") {
    const StreamReader reader = make_reader(4);
    reader.feed_data("abcdefgh\nok\n");
    CHECK(said(run(reader, weir::test::readuntil("\n"))) == "LOE-found(8)");
    CHECK(said(run(reader, weir::test::readexactly(8))) == R"("abcdefgh")");
    CHECK(said(run(reader, weir::test::readuntil("\n"))) == R"("\n")");
    CHECK(said(run(reader, weir::test::readuntil("\n"))) == R"("ok\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: a separator of NUL bytes is found across chunks") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, weir::test::readuntil(std::string(2, '\0')));
    feed(reader, std::string_view("a\0b\0", 4));
    CHECK(said(task) == "PENDING");
    feed(reader, std::string_view("\0c", 2));
    CHECK(said(task) == R"("a\x00b\x00\x00")");
    CHECK(reader.state().buffered() == "c");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: no separators, and one that is empty, are refused") {
    const StreamReader reader = make_reader();
    reader.feed_data("ab");
    CHECK(said(run(reader, weir::test::readuntil_any({}))) ==
          "ValueError: Separator should contain at least one element");
    CHECK(said(run(reader, weir::test::readuntil_any({"a", ""}))) ==
          "ValueError: Separator should be at least one-byte string");
    CHECK(reader.state().buffered() == "ab");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: a bad separator is told before the stored exception") {
    const StreamReader reader = make_reader();
    reader.set_exception(weir::ValueError("boom"));
    CHECK(said(run(reader, weir::test::readuntil(""))) ==
          "ValueError: Separator should be at least one-byte string");
    CHECK(said(run(reader, weir::test::readuntil("x"))) == "ValueError: boom");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "readline_view: is right until the next call, chunk after chunk") {
    const StreamReader reader = make_reader();
    const Task<std::string> lines = loop.create_task(joined_views(reader));
    settle();
    for (int i = 0; i < 40; ++i) feed(reader, "abc\nde");
    reader.feed_eof();
    settle();
    std::string expected = "abc\n|";
    for (int i = 0; i < 39; ++i) expected += "deabc\n|";
    CHECK(lines.result() == expected + "de||");
  }

  TEST_CASE_FIXTURE(StreamLoop, "transport: whole lines are read in place, in the loop's block") {
    Connected made = connect();
    std::vector<Seen> seen;
    const Task<> task = loop.create_task(looks_where(made.reader, 3, &seen));
    settle();
    kernel.put(made.theirs, "one\ntwo\nthree\n");
    turn();
    REQUIRE(seen.size() == 3);
    CHECK(seen[2].text == "three\n");
    for (const Seen& line : seen) CHECK(line.in_the_block);
  }

  TEST_CASE_FIXTURE(StreamLoop, "transport: a line that began earlier does not keep out the next") {
    Connected made = connect();
    std::vector<Seen> seen;
    const Task<> task = loop.create_task(looks_where(made.reader, 3, &seen));
    settle();
    kernel.put(made.theirs, "one\ntw");
    turn();
    kernel.put(made.theirs, "o\nthree\n");
    turn();
    REQUIRE(seen.size() == 3);
    CHECK(seen[1].text == "two\n");
    CHECK(seen[2].text == "three\n");
    CHECK(seen[2].in_the_block);
  }

  TEST_CASE_FIXTURE(StreamLoop, "transport: a begun line survives what others receive meanwhile") {
    Connected first = connect();
    Connected second = connect();
    const Task<std::string> line = loop.create_task(first.reader.readline());
    const Task<std::string> other = loop.create_task(second.reader.readline());
    settle();
    kernel.put(first.theirs, "begin");
    turn();
    kernel.put(second.theirs, std::string(1000, '#') + "\n");
    turn();
    CHECK(other.done());
    kernel.put(first.theirs, "ning\n");
    turn();
    CHECK(said(line) == R"("beginning\n")");
  }

  TEST_CASE_FIXTURE(StreamLoop, "transport: lines that nobody reads yet survive the same") {
    Connected first = connect();
    Connected second = connect();
    kernel.put(first.theirs, "kept\n");
    kernel.put(second.theirs, std::string(1000, '#'));
    turn();
    CHECK(first.reader.state().buffered() == "kept\n");
    CHECK(second.reader.buffered_bytes() == 1000);
  }

  TEST_CASE_FIXTURE(StreamLoop, "transport: a record longer than the headroom stays in one run") {
    Connected made = connect(1'000'000);
    const Task<std::string> task = loop.create_task(made.reader.readline());
    settle();
    std::string sent;
    for (int i = 0; i < 30; ++i) {
      const std::string chunk(1000, static_cast<char>('a' + i % 26));
      sent += chunk;
      kernel.put(made.theirs, chunk);
      turn();
    }
    kernel.put(made.theirs, "\nnext");
    turn();
    CHECK(task.result() == sent + "\n");
    CHECK(made.reader.state().buffered() == "next");
  }

  TEST_CASE_FIXTURE(StreamLoop, "transport: a chunk given to two readers is right in both") {
    Connected made = connect();
    const StreamReader one(loop);
    const StreamReader two(loop);
    ReadBlock& block = loop.service<ReadBlock>();
    one.feed_data("first ");
    two.feed_data("second ");
    char* const room = block.room().data();
    std::string_view("chunk\n").copy(room, 6);
    one.state().feed_borrowed({room, 6}, &block);
    two.state().feed_borrowed({room, 6}, &block);
    CHECK(one.state().buffered() == "first chunk\n");
    CHECK(two.state().buffered() == "second chunk\n");
    pass();
    CHECK(one.state().buffered() == "first chunk\n");
  }

  TEST_CASE_FIXTURE(StreamLoop, "transport: a part of a chunk leaves the bytes before it alone") {
    const StreamReader reader(loop);
    ReadBlock& block = loop.service<ReadBlock>();
    reader.feed_data("begun ");
    char* const room = block.room().data();
    std::string_view("HEADERbody").copy(room, 10);
    reader.state().feed_borrowed({room + 6, 4}, &block);
    CHECK(reader.state().buffered() == "begun body");
    CHECK(std::string_view(room, 6) == "HEADER");
  }

  TEST_CASE_FIXTURE(StreamLoop, "transport: above twice the limit nothing more is received") {
    Connected made = connect(10);
    kernel.put(made.theirs, std::string(21, 'x'));
    turn();
    kernel.put(made.theirs, "later");
    turn();
    CHECK(made.reader.buffered_bytes() == 21);
    const Task<std::string> all = loop.create_task(made.reader.readexactly(26));
    turn();
    turn();
    CHECK(said(all).ends_with("later\""));
  }

  // uvloop 6476aad: data that had arrived was lost when the end came behind it.
  TEST_CASE_FIXTURE(StreamLoop, "B55: an end that comes while reading is paused costs no byte") {
    Connected made = connect(2000);
    const std::string sent = pattern(300'000);  // More than one recv() takes.
    kernel.put(made.theirs, sent);
    kernel.put_eof(made.theirs);
    turn();
    CHECK_FALSE(made.reader.at_eof());
    std::string got;
    const auto reads = [](StreamReader reader, std::string* all) -> Coro<> {
      for (int i = 0; i < 300; ++i) {
        *all += co_await reader.readexactly(1000);
        co_await weir::sleep(std::chrono::milliseconds(1));
      }
    };
    loop.run_until_complete(reads(made.reader, &got));
    CHECK((got == sent));
    CHECK(made.reader.at_eof());
  }

  // libevent 5a455acd: reading that a high-water mark had suspended was never taken up again.
  TEST_CASE_FIXTURE(StreamLoop,
                    "B48: reading that was paused goes on, however the bytes are read") {
    std::mt19937 random(1);  // The same numbers in every run.
    for (int round = 0; round < 200; ++round) {
      CAPTURE(round);
      Connected made = connect(static_cast<std::ptrdiff_t>(random() % 50 + 100));
      std::string sent;
      std::string got;
      const Task<> task = loop.create_task(reads_at_random(made.reader, &random, &got));
      while (sent.size() < 3000) {
        const std::string more = pattern(random() % 700) + "!\n";
        sent += more;
        kernel.put(made.theirs, more);
        if (random() % 2 == 0) turn();
      }
      kernel.put_eof(made.theirs);
      for (int i = 0; i < 10 && !task.done(); ++i) turn();
      REQUIRE(task.done());  // Else somebody waits for bytes that nobody fetches.
      if (task.exception() && said(task).starts_with("IRE(")) continue;  // The end, halfway.
      CHECK(said(task) == "done");
      CHECK((got == sent));
    }
  }

  TEST_CASE_FIXTURE(StreamLoop, "transport: bytes that came before the end are read before it") {
    Connected made = connect();
    kernel.put(made.theirs, "last");
    kernel.put_eof(made.theirs);
    turn();
    CHECK(made.reader.repr().find("4 bytes eof") != std::string::npos);
    const Task<std::string> all = loop.create_task(made.reader.read());
    settle();
    CHECK(said(all) == R"("last")");
    CHECK(made.reader.at_eof());
  }
}
