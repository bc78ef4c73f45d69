// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/streams/stream_reader_protocol.hpp>

#include <tests/streams/stream_fixture.hpp>

using weir::Coro;
using weir::EventLoop;
using weir::StreamReader;
using weir::Task;
using weir::test::read;
using weir::test::ReadCall;
using weir::test::ReaderLoop;
using weir::test::readexactly;
using weir::test::readline;
using weir::test::readuntil;
using weir::test::said;

namespace {

constexpr std::string_view lines = "line1\nline2\nline3\n";

/// What is in the buffer.
std::string left(const StreamReader& reader) { return std::string(reader.state().buffered()); }

}  // namespace

// asyncio's own tests of its reader, one claim a case. The corners are in reader_scripts.
TEST_SUITE("streams/reader_contract") {
  // ---- read

  // CPython: test_streams.py test_read_zero
  TEST_CASE_FIXTURE(ReaderLoop, "read(0): is empty at once, and takes nothing") {
    const StreamReader reader = make_reader();
    reader.feed_data(lines);
    CHECK(said(run(reader, read(0))) == R"("")");
    CHECK(left(reader) == lines);
  }

  // CPython: test_streams.py test_read
  TEST_CASE_FIXTURE(ReaderLoop, "read(n): waits for the first bytes, and returns what has come") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, read(30));
    CHECK_FALSE(task.done());
    feed(reader, lines);
    CHECK(task.result() == lines);
    CHECK(left(reader).empty());
  }

  // CPython: test_streams.py test_read_line_breaks
  TEST_CASE_FIXTURE(ReaderLoop, "read(n): returns no more than n, and knows no lines") {
    const StreamReader reader = make_reader();
    reader.feed_data("line1");
    reader.feed_data("\nline2");
    CHECK(said(run(reader, read(6))) == R"("line1\n")");
    CHECK(left(reader) == "line2");
  }

  // CPython: test_streams.py test_read_eof
  TEST_CASE_FIXTURE(ReaderLoop, "read(n): at the end of the stream it is empty") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, read(1024));
    reader.feed_eof();
    settle();
    CHECK(said(task) == R"("")");
  }

  // CPython: test_streams.py test_read_until_eof
  TEST_CASE_FIXTURE(ReaderLoop, "read(-1): collects all that comes before the end") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, read(-1));
    feed(reader, "chunk1\n");
    feed(reader, "chunk2");
    CHECK_FALSE(task.done());
    reader.feed_eof();
    settle();
    CHECK(said(task) == R"("chunk1\nchunk2")");
    CHECK(left(reader).empty());
  }

  // CPython: test_streams.py test_read_limit, test_readexactly_limit
  TEST_CASE_FIXTURE(ReaderLoop, "read(n), readexactly(n): may return more than the limit") {
    for (const ReadCall& call : {read(5), readexactly(5)}) {
      const StreamReader reader(loop, 3);
      reader.feed_data("chunk");
      CHECK(said(run(reader, call)) == R"("chunk")");
      CHECK(left(reader).empty());
    }
  }

  // CPython: test_streams.py test_read_exception, test_readline_exception,
  // test_readexactly_exception
  TEST_CASE_FIXTURE(ReaderLoop, "set_exception: after a call that succeeded, the next one throws") {
    for (const ReadCall& call : {read(2), readline(), readexactly(2)}) {
      const StreamReader reader = make_reader();
      reader.feed_data("1\n");
      CHECK(said(run(reader, call)) == R"("1\n")");
      reader.set_exception(weir::ValueError("boom"));
      CHECK(said(run(reader, call)) == "ValueError: boom");
      CHECK(left(reader).empty());
    }
  }

  // ---- readline

  // CPython: test_streams.py test_readline
  TEST_CASE_FIXTURE(ReaderLoop,
                    "readline: waits for the end of its line, and leaves what follows") {
    const StreamReader reader = make_reader();
    reader.feed_data("chunk1 ");
    const Task<std::string> task = run(reader, readline());
    feed(reader, "chunk2 ");
    feed(reader, "chunk3 ");
    CHECK_FALSE(task.done());
    feed(reader, "\n chunk4");
    CHECK(said(task) == R"("chunk1 chunk2 chunk3 \n")");
    CHECK(left(reader) == " chunk4");
  }

  // CPython: test_streams.py test_readline_nolimit_nowait
  TEST_CASE_FIXTURE(ReaderLoop,
                    "readline: of several lines it takes the first, in its first step") {
    const StreamReader reader = make_reader();
    reader.feed_data(lines.substr(0, 6));
    reader.feed_data(lines.substr(6));
    const Task<std::string> task = start(reader, readline());
    pass();
    CHECK(said(task) == R"("line1\n")");
    CHECK(left(reader) == "line2\nline3\n");
  }

  // CPython: test_streams.py test_readline_eof
  TEST_CASE_FIXTURE(ReaderLoop, "readline: the last line may lack its end") {
    const StreamReader reader = make_reader();
    reader.feed_data("some data");
    reader.feed_eof();
    CHECK(said(run(reader, readline())) == R"("some data")");
  }

  // CPython: test_streams.py test_readline_empty_eof
  TEST_CASE_FIXTURE(ReaderLoop, "readline: at the end of the stream it is empty") {
    const StreamReader reader = make_reader();
    reader.feed_eof();
    CHECK(said(run(reader, readline())) == R"("")");
  }

  // CPython: test_streams.py test_readline_read_byte_count
  TEST_CASE_FIXTURE(ReaderLoop, "read(n): after readline it goes on behind the line") {
    const StreamReader reader = make_reader();
    reader.feed_data(lines);
    run(reader, readline());
    CHECK(said(run(reader, read(7))) == R"("line2\nl")");
    CHECK(left(reader) == "ine3\n");
  }

  // CPython: test_streams.py test_readline_limit_with_existing_data
  TEST_CASE_FIXTURE(ReaderLoop, "readline: throws away a line that is too long and there already") {
    const StreamReader whole(loop, 3);
    whole.feed_data("li");
    whole.feed_data("ne1\nline2\n");
    CHECK(said(run(whole, readline())) == "ValueError: found");
    CHECK(left(whole) == "line2\n");

    const StreamReader begun(loop, 3);
    begun.feed_data("li");
    begun.feed_data("ne1");
    begun.feed_data("li");
    CHECK(said(run(begun, readline())) == "ValueError: notfound");
    CHECK(left(begun).empty());
  }

  // CPython: test_streams.py test_readline_limit
  TEST_CASE_FIXTURE(ReaderLoop, "readline: throws away a line that gets too long while it waits") {
    const StreamReader last(loop, 7);
    const Task<std::string> task = start(last, readline());
    for (const std::string_view chunk : {"chunk1", "chunk2", "chunk3\n"}) last.feed_data(chunk);
    last.feed_eof();
    settle();
    CHECK(said(task) == "ValueError: found");
    CHECK(left(last).empty());

    const StreamReader followed(loop, 7);
    const Task<std::string> other = start(followed, readline());
    for (const std::string_view chunk : {"chunk1", "chunk2\n", "chunk3\n"}) {
      followed.feed_data(chunk);
    }
    settle();
    CHECK(said(other) == "ValueError: found");
    CHECK(left(followed) == "chunk3\n");
  }

  // CPython: test_streams.py test_readline_limit
  TEST_CASE_FIXTURE(ReaderLoop, "readline: as many bytes as the limit and a line end are a line") {
    const StreamReader reader(loop, 7);
    reader.feed_data("1234567\n");
    CHECK(said(run(reader, readline())) == R"("1234567\n")");
    reader.feed_data("12345678\n");
    CHECK(said(run(reader, readline())) == "ValueError: found");
    CHECK(left(reader).empty());
    reader.feed_data("12345678");
    CHECK(said(run(reader, readline())) == "ValueError: notfound");
    CHECK(left(reader).empty());
  }

  // ---- readuntil

  // CPython: test_streams.py test_readuntil_multi_chunks
  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: takes record after record, and leaves what follows") {
    const StreamReader reader = make_reader();
    for (int i = 0; i < 2; ++i) {
      reader.feed_data("lineAAA");
      CHECK(said(run(reader, readuntil("AAA"))) == R"("lineAAA")");
      CHECK(left(reader).empty());
    }
    reader.feed_data("lineAAAxxx");
    CHECK(said(run(reader, readuntil("AAA"))) == R"("lineAAA")");
    CHECK(left(reader) == "xxx");
  }

  // CPython: test_streams.py test_readuntil_multi_chunks_1
  TEST_CASE_FIXTURE(ReaderLoop,
                    "readuntil: a separator in pieces is found, after false beginnings") {
    const StreamReader reader = make_reader();
    for (const std::string_view record : {"QWEaaXYaaa", "aaa", "Xaaa", "XXXaaa"}) {
      for (std::size_t cut = 0; cut <= record.size(); ++cut) {
        CAPTURE(cut);
        const Task<std::string> task = run(reader, readuntil("aaa"));
        feed(reader, record.substr(0, cut));
        feed(reader, record.substr(cut));
        REQUIRE(task.done());
        CHECK(task.result() == record);
        CHECK(left(reader).empty());
      }
    }
  }

  // CPython: test_streams.py test_readuntil_eof
  TEST_CASE_FIXTURE(ReaderLoop,
                    "readuntil: the end of the stream gives what there was, and takes it") {
    const StreamReader reader = make_reader();
    reader.feed_data("some dataAA");
    reader.feed_eof();
    CHECK(said(run(reader, readuntil("AAA"))) == R"(IRE("some dataAA", undefined))");
    CHECK(left(reader).empty());
  }

  // CPython: test_streams.py test_readuntil_limit_found_sep
  TEST_CASE_FIXTURE(ReaderLoop, "readuntil: an overrun takes nothing, and says what it has found") {
    const StreamReader reader(loop, 3);
    reader.feed_data("some dataAA");
    CHECK(said(run(reader, readuntil("AAA"))) == "LOE-notfound(9)");
    CHECK(left(reader) == "some dataAA");
    reader.feed_data("A");
    CHECK(said(run(reader, readuntil("AAA"))) == "LOE-found(9)");
    CHECK(left(reader) == "some dataAAA");
  }

  // ---- readexactly

  // CPython: test_streams.py test_readexactly_zero_or_less
  TEST_CASE_FIXTURE(ReaderLoop, "readexactly: none is empty, fewer than none is refused") {
    const StreamReader reader = make_reader();
    reader.feed_data(lines);
    CHECK(said(run(reader, readexactly(0))) == R"("")");
    CHECK(said(run(reader, readexactly(-1))) ==
          "ValueError: readexactly size can not be less than zero");
    CHECK(left(reader) == lines);
  }

  // CPython: test_streams.py test_readexactly
  TEST_CASE_FIXTURE(ReaderLoop, "readexactly: waits for all its bytes, and leaves what follows") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, readexactly(36));
    feed(reader, lines);
    CHECK_FALSE(task.done());
    reader.feed_data(lines);
    reader.feed_data(lines);
    settle();
    CHECK(task.result() == std::string(lines) + std::string(lines));
    CHECK(left(reader) == lines);
  }

  // CPython: test_streams.py test_readexactly_eof
  TEST_CASE_FIXTURE(ReaderLoop,
                    "readexactly: the end of the stream gives what there was, and both counts") {
    const StreamReader reader = make_reader();
    const Task<std::string> task = run(reader, readexactly(36));
    reader.feed_data(lines);
    reader.feed_eof();
    settle();
    CHECK(said(task) == R"(IRE("line1\nline2\nline3\n", 36))");
    CHECK_THROWS_WITH(task.result(), "18 bytes read on a total of 36 expected bytes");
    CHECK(left(reader).empty());
  }

  // ---- the loop they belong to

  // CPython: test_streams.py test_streamreader_constructor_use_running_loop,
  // test_streamreaderprotocol_constructor_use_running_loop
  TEST_CASE_FIXTURE(ReaderLoop, "StreamReader, StreamReaderProtocol: belong to the running loop") {
    const auto makes_them = []() -> Coro<bool> {
      const StreamReader reader;
      const weir::StreamReaderProtocol protocol(reader);
      EventLoop* running = &weir::get_running_loop();
      co_return &reader.state().loop() == running && &protocol.reader().state().loop() == running;
    };
    CHECK(loop.run_until_complete(makes_them()));
  }
}
