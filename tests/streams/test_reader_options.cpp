// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>

#include <weir/reactor/error.hpp>
#include <weir/streams/errors.hpp>

#include <tests/streams/stream_fixture.hpp>
#include <tests/streams/stream_loop.hpp>

using weir::Coro;
using weir::ReadCapError;
using weir::StreamReader;
using weir::Task;
using weir::test::Connected;
using weir::test::ReadCall;
using weir::test::ReaderLoop;
using weir::test::said;
using weir::test::StreamLoop;
using weir::test::unused;

namespace {

Coro<std::string> puts_its_view_back(StreamReader reader) {
  const std::string_view line = co_await reader.readline_view();
  reader.unread(line);
  const std::string again = co_await reader.readline();
  co_return again;
}

Coro<std::string> peeks_a_view(StreamReader reader) {
  const std::string_view view = co_await reader.peek_view(3);
  co_return std::string(view);
}

}  // namespace

TEST_SUITE("streams/reader_options") {
  // ---- peek

  TEST_CASE_FIXTURE(ReaderLoop, "peek: gives the next bytes and leaves them") {
    const StreamReader reader = make_reader();
    reader.feed_data("abcd");
    const Task<std::string> task = loop.create_task(reader.peek(3));
    settle();
    CHECK(said(task) == R"("abc")");
    CHECK(reader.state().buffered() == "abcd");
    const Task<std::string> view = loop.create_task(peeks_a_view(reader));
    settle();
    CHECK(said(view) == R"("abc")");
    CHECK(reader.bytes_scanned() == 0);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "peek: waits until there are enough") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = loop.create_task(reader.peek(3));
    settle();
    feed(reader, "ab");
    CHECK(said(task) == "PENDING");
    feed(reader, "c");
    CHECK(said(task) == R"("abc")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "peek: at the end of the stream gives what is left, then nothing") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = loop.create_task(reader.peek(3));
    settle();
    reader.feed_data("ab");
    reader.feed_eof();
    settle();
    CHECK(said(task) == R"("ab")");
    CHECK_FALSE(reader.at_eof());
    CHECK(said(run(reader, weir::test::read(5))) == R"("ab")");
    const Task<std::string> nothing = loop.create_task(reader.peek(3));
    settle();
    CHECK(said(nothing) == R"("")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "peek: of nothing is nothing at once, of less a ValueError") {
    const StreamReader reader = make_reader();
    const Task<std::string> nothing = loop.create_task(reader.peek(0));
    const Task<std::string> less = loop.create_task(reader.peek(-1));
    settle();
    CHECK(said(nothing) == R"("")");
    CHECK(said(less) == "ValueError: peek size can not be less than zero");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "peek: throws the stored exception") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc");
    reader.set_exception(weir::ValueError("boom"));
    const Task<std::string> task = loop.create_task(reader.peek(1));
    settle();
    CHECK(said(task) == "ValueError: boom");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "peek: of more than twice the limit resumes the transport") {
    const StreamReader reader = make_reader(1);
    reader.feed_data("abc");
    CHECK(transport.flow == "P");
    const Task<std::string> task = loop.create_task(reader.peek(5));
    settle();
    CHECK(transport.flow == "PR");
    feed(reader, "de");
    CHECK(said(task) == R"("abcde")");
    CHECK(transport.flow == "PRP");
    CHECK(said(run(reader, weir::test::readexactly(5))) == R"("abcde")");
    CHECK(transport.flow == "PRPR");
  }

  // ---- unread

  TEST_CASE_FIXTURE(ReaderLoop, "unread: bytes come again, before the others") {
    const StreamReader reader = make_reader();
    reader.feed_data("one\ntwo\n");
    CHECK(said(run(reader, weir::test::readline())) == R"("one\n")");
    reader.unread("one\n");
    CHECK(said(run(reader, weir::test::readline())) == R"("one\n")");
    CHECK(said(run(reader, weir::test::readline())) == R"("two\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "unread: takes bytes that were never read, before the first too") {
    const StreamReader reader = make_reader();
    reader.unread("zero\none");
    reader.feed_data("!\ntwo\n");
    for (const std::string_view line : {R"("zero\n")", R"("one!\n")", R"("two\n")"}) {
      CHECK(said(run(reader, weir::test::readline())) == line);
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "unread: separators are found in what came back, and behind it") {
    const StreamReader reader = make_reader();
    reader.feed_data("abc");
    run(reader, weir::test::readuntil(";")).cancel();
    settle();
    CHECK(said(run(reader, weir::test::read(3))) == R"("abc")");
    reader.unread("x;y");
    reader.feed_data("z;");
    CHECK(said(run(reader, weir::test::readuntil(";"))) == R"("x;")");
    CHECK(said(run(reader, weir::test::readuntil(";"))) == R"("yz;")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "unread: wakes a read that waits") {
    const StreamReader reader = make_reader();
    const Task<std::string> line = run(reader, weir::test::readline());
    reader.unread("x\n");
    settle();
    CHECK(said(line) == R"("x\n")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "unread: works after the end of the stream, and delays it") {
    const StreamReader reader = make_reader();
    reader.feed_eof();
    CHECK(reader.at_eof());
    reader.unread("x");
    CHECK_FALSE(reader.at_eof());
    CHECK(said(run(reader, weir::test::readline())) == R"("x")");
    CHECK(reader.at_eof());
  }

  TEST_CASE_FIXTURE(ReaderLoop, "unread: comes before what a read(-1) has collected") {
    const StreamReader reader = make_reader();
    reader.feed_data("line\nrest");
    CHECK(said(run(reader, weir::test::readline())) == R"("line\n")");
    const Task<std::string> all = run(reader, weir::test::read(-1));
    reader.unread("line\n");
    SUBCASE("that goes on to the end") {
      reader.feed_eof();
      settle();
      CHECK(said(all) == R"("line\nrest")");
    }
    SUBCASE("that is cancelled") {
      all.cancel();
      settle();
      CHECK(reader.state().buffered() == "line\nrest");
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "unread: of nothing does nothing") {
    const StreamReader reader = make_reader();
    const Task<std::string> byte = run(reader, weir::test::read(1));
    reader.unread("");
    settle();
    CHECK(said(byte) == "PENDING");
  }

  TEST_CASE_FIXTURE(StreamLoop, "unread: takes a view that the reader gave, of lent bytes too") {
    const Connected made = connect();
    const Task<std::string> task = loop.create_task(puts_its_view_back(made.reader));
    turn();
    kernel.put(made.theirs, "line\nmore");
    turn();
    CHECK(said(task) == R"("line\n")");
    CHECK(made.reader.state().buffered() == "more");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "unread: more than twice the limit pauses the transport") {
    const StreamReader reader = make_reader(1);
    reader.unread("abc");
    CHECK(transport.flow == "P");
    CHECK(said(run(reader, weir::test::read(2))) == R"("ab")");
    CHECK(transport.flow == "PR");
  }

  // ---- The cap

  TEST_CASE_FIXTURE(ReaderLoop,
                    "B58: a readexactly above the read cap is refused, up to it works") {
    const StreamReader reader = make_reader();
    reader.set_read_cap(4);
    reader.feed_data("abcdefgh");
    CHECK(said(run(reader, weir::test::readexactly(4))) == R"("abcd")");
    const Task<std::string> task = run(reader, weir::test::readexactly(5));
    CHECK(said(task) == "ReadCapError: readexactly() wants 5 bytes, more than the cap of 4");
    CHECK_THROWS_AS(unused(task.result()), ReadCapError);
    CHECK(reader.buffered_bytes() == 4);
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read cap: a peek above it is refused, too") {
    const StreamReader reader = make_reader();
    reader.set_read_cap(4);
    const Task<std::string> task = loop.create_task(reader.peek(5));
    settle();
    CHECK(said(task) == "ReadCapError: peek() wants 5 bytes, more than the cap of 4");
  }

  TEST_CASE_FIXTURE(ReaderLoop,
                    "B58: a read(-1) stops when the read cap is passed, and loses nothing") {
    const StreamReader reader = make_reader(2);
    reader.set_read_cap(6);
    const Task<std::string> task = run(reader, weir::test::read(-1));
    feed(reader, "abc");
    feed(reader, "def");
    CHECK(said(task) == "PENDING");
    feed(reader, "g");
    CHECK(said(task) == "ReadCapError: read(-1) has 7 bytes, more than the cap of 6");
    CHECK(reader.state().buffered() == "abcdefg");
    CHECK(said(run(reader, weir::test::read(100))) == R"("abcdefg")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read cap: read(-1) may end exactly at it") {
    const StreamReader reader = make_reader();
    reader.set_read_cap(3);
    reader.feed_data("abc");
    reader.feed_eof();
    CHECK(said(run(reader, weir::test::read(-1))) == R"("abc")");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "read cap: of zero or less is a ValueError, of nothing none") {
    const StreamReader reader = make_reader();
    CHECK_THROWS_WITH_AS(reader.set_read_cap(0), "Cap cannot be <= 0", weir::ValueError);
    reader.set_read_cap(1);
    reader.set_read_cap(std::nullopt);
    reader.feed_data("abc");
    CHECK(said(run(reader, weir::test::readexactly(3))) == R"("abc")");
  }

  // ---- The buffer before the exception

  TEST_CASE("buffer first: off, the exception hides what is buffered from every read") {
    for (const ReadCall& call : {weir::test::read(2), weir::test::readexactly(2),
                                 weir::test::readuntil("\n"), weir::test::readline()}) {
      ReaderLoop test;
      const StreamReader reader = test.make_reader();
      reader.feed_data("ab\n");
      reader.set_exception(weir::ValueError("boom"));
      CHECK(said(test.run(reader, call)) == "ValueError: boom");
    }
  }

  TEST_CASE("buffer first: on, what the buffer can answer is answered, then the exception comes") {
    for (const ReadCall& call :
         {weir::test::read(3), weir::test::readexactly(3), weir::test::readuntil("\n"),
          weir::test::readuntil_any({"\n", "x"}), weir::test::readline()}) {
      ReaderLoop test;
      const StreamReader reader = test.make_reader();
      reader.set_buffer_first();
      reader.feed_data("ab\n");
      reader.set_exception(weir::ValueError("boom"));
      CHECK(said(test.run(reader, call)) == R"("ab\n")");
      CHECK(said(test.run(reader, call)) == "ValueError: boom");
      CHECK(said(test.run(reader, call)) == "ValueError: boom");
    }
  }

  TEST_CASE("buffer first: a read that has not enough throws it, and leaves the rest to read(n)") {
    for (const ReadCall& call : {weir::test::readexactly(3), weir::test::readuntil("\n"),
                                 weir::test::readline(), weir::test::read(-1)}) {
      ReaderLoop test;
      const StreamReader reader = test.make_reader();
      reader.set_buffer_first();
      reader.feed_data("ab");
      reader.set_exception(weir::ValueError("boom"));
      CHECK(said(test.run(reader, call)) == "ValueError: boom");
      CHECK(said(test.run(reader, weir::test::read(9))) == R"("ab")");
      CHECK(said(test.run(reader, weir::test::read(9))) == "ValueError: boom");
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop, "buffer first: the exception beats the end of the stream") {
    const StreamReader reader = make_reader();
    reader.set_buffer_first();
    reader.feed_data("ab");
    reader.feed_eof();
    reader.set_exception(weir::ValueError("boom"));
    CHECK(said(run(reader, weir::test::readuntil("\n"))) == "ValueError: boom");
    CHECK(said(run(reader, weir::test::readexactly(2))) == R"("ab")");
    CHECK(said(run(reader, weir::test::read(1))) == "ValueError: boom");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "buffer first: so it does for read(-1), with nothing buffered") {
    const StreamReader reader = make_reader();
    reader.set_buffer_first();
    SUBCASE("that begins after both") {
      reader.feed_eof();
      reader.set_exception(weir::ValueError("boom"));
      CHECK(said(run(reader, weir::test::read(-1))) == "ValueError: boom");
    }
    SUBCASE("that the end has woken") {
      const Task<std::string> all = run(reader, weir::test::read(-1));
      reader.feed_eof();
      reader.set_exception(weir::ValueError("boom"));
      settle();
      CHECK(said(all) == "ValueError: boom");
    }
  }

  TEST_CASE_FIXTURE(ReaderLoop,
                    "buffer first: bytes and exception in one pass wake a read to both") {
    const StreamReader reader = make_reader();
    reader.set_buffer_first();
    const Task<std::string> line = run(reader, weir::test::readline());
    reader.feed_data("x\ny");
    reader.set_exception(weir::ValueError("boom"));
    settle();
    CHECK(said(line) == R"("x\n")");
    CHECK(said(run(reader, weir::test::readline())) == "ValueError: boom");
  }

  TEST_CASE_FIXTURE(ReaderLoop, "buffer first: a read that waits for more gets the exception") {
    const StreamReader reader = make_reader();
    reader.set_buffer_first();
    reader.feed_data("x");
    const Task<std::string> line = run(reader, weir::test::readline());
    reader.set_exception(weir::ValueError("boom"));
    settle();
    CHECK(said(line) == "ValueError: boom");
    CHECK(reader.buffered_bytes() == 1);
  }

  TEST_CASE_FIXTURE(StreamLoop, "buffer first: what came before a reset can be read") {
    const Connected made = connect();
    made.reader.set_buffer_first();
    kernel.put(made.theirs, "answer\nhalf");
    turn();
    kernel.reset(made.theirs);
    turn();
    const auto get = [this, &made](const ReadCall& call) {
      const Task<std::string> task = loop.create_task(weir::test::make_call(made.reader, call));
      settle();
      return said(task);
    };
    CHECK(get(weir::test::readline()) == R"("answer\n")");
    CHECK(get(weir::test::readline()) ==
          "ConnectionResetError: [Errno 104] Connection reset by peer");
    CHECK(get(weir::test::read(9)) == R"("half")");
  }
}
