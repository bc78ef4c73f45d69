// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tests/streams/stream_fixture.hpp>
#include <tests/streams/stream_loop.hpp>

using weir::Coro;
using weir::FlowControlMixin;
using weir::StreamReader;
using weir::StreamWriter;
using weir::Task;
using weir::test::Connected;
using weir::test::MockTransport;
using weir::test::ReaderLoop;
using weir::test::said;
using weir::test::StreamLoop;

namespace {

struct ByHand : ReaderLoop {
  StreamWriter make_writer() { return StreamWriter(mock, protocol, std::nullopt, &loop); }
  std::shared_ptr<MockTransport> mock = std::make_shared<MockTransport>();
  std::shared_ptr<FlowControlMixin> protocol = std::make_shared<FlowControlMixin>();
};

Coro<> keeps_until(weir::Future<> future, StreamWriter writer) {
  co_await future;
  writer.write("still here");
}

}  // namespace

TEST_SUITE("streams/stream_writer") {
  TEST_CASE_FIXTURE(ByHand, "write: hands the bytes to the transport as they are") {
    const StreamWriter writer = make_writer();
    writer.write("a");
    writer.write(std::string_view("b\0c", 3));
    CHECK(mock->written == std::string("ab\0c", 4));
  }

  TEST_CASE_FIXTURE(ByHand, "writelines: hands over the pieces, unjoined") {
    const StreamWriter writer = make_writer();
    writer.writelines({"one", "two"});
    const std::vector<std::string_view> pieces = {"three", ""};
    writer.writelines(pieces);
    CHECK(mock->written == "[one][two][three][]");
  }

  TEST_CASE_FIXTURE(ByHand, "write_eof, can_write_eof: are the transport's") {
    const StreamWriter writer = make_writer();
    CHECK(writer.can_write_eof());
    mock->takes_eof = false;
    CHECK_FALSE(writer.can_write_eof());
    writer.write_eof();
    CHECK(mock->written == "EOF");
  }

  TEST_CASE_FIXTURE(ByHand, "close, is_closing: are the transport's") {
    const StreamWriter writer = make_writer();
    CHECK_FALSE(writer.is_closing());
    writer.close();
    CHECK(writer.is_closing());
    CHECK(mock->closes == 1);
  }

  TEST_CASE_FIXTURE(ByHand, "transport, get_extra_info: are the transport's") {
    const StreamWriter writer = make_writer();
    CHECK(writer.transport() == mock);
    CHECK_FALSE(static_cast<bool>(writer.get_extra_info("peername")));
    CHECK(mock->asked == "peername");
  }

  // CPython: streams.py StreamWriter.__repr__
  TEST_CASE_FIXTURE(ByHand, "repr: names the transport, and the reader when there is one") {
    CHECK(make_writer().repr() == "<StreamWriter transport=<T>>");
    const StreamReader reader(loop);
    const StreamWriter writer(mock, protocol, reader, &loop);
    CHECK(writer.repr() == "<StreamWriter transport=<T> reader=<StreamReader>>");
  }

  TEST_CASE_FIXTURE(ByHand, "StreamWriter: without a loop given or running there is none") {
    CHECK_THROWS_WITH_AS(StreamWriter(mock, protocol), "no running event loop", weir::RuntimeError);
  }

  // CPython 3.13: streams.py StreamWriter.__del__
  TEST_CASE_FIXTURE(ByHand,
                    "B59: the last handle of a writer posts a close, and does not call it") {
    {
      const StreamWriter writer = make_writer();
    }
    CHECK(mock->closes == 0);
    settle();
    CHECK(mock->closes == 1);
  }

  TEST_CASE_FIXTURE(ByHand, "last handle: copies keep the connection until the last one goes") {
    std::optional<StreamWriter> first(make_writer());
    std::optional<StreamWriter> second(first);
    first.reset();
    settle();
    CHECK(mock->closes == 0);
    second.reset();
    settle();
    CHECK(mock->closes == 1);
  }

  TEST_CASE_FIXTURE(ByHand, "last handle: a copy in a task's frame counts") {
    const weir::Future<> future(loop);
    const Task<> task = loop.create_task(keeps_until(future, make_writer()));
    settle();
    CHECK(mock->closes == 0);
    future.set_result();
    settle();
    CHECK(mock->written == "still here");
    CHECK(mock->closes == 1);
  }

  TEST_CASE_FIXTURE(ByHand, "last handle: a transport that is closing is left alone") {
    make_writer().close();
    CHECK(mock->closes == 1);
    settle();
    CHECK(mock->closes == 1);
  }

  TEST_CASE_FIXTURE(ByHand, "last handle: a moved handle does not count") {
    StreamWriter first = make_writer();
    std::optional<StreamWriter> second(std::move(first));
    second.reset();
    settle();
    CHECK(mock->closes == 1);
  }

  TEST_CASE("last handle: gone after its loop, it does nothing") {
    const auto mock = std::make_shared<MockTransport>();
    std::optional<StreamWriter> writer;
    {
      ReaderLoop gone;
      writer.emplace(mock, std::make_shared<FlowControlMixin>(), std::nullopt, &gone.loop);
    }
    writer.reset();
    CHECK(mock->closes == 0);
  }

  TEST_CASE_FIXTURE(StreamLoop, "write: arrives at the other end, in order") {
    Connected made = connect();
    made.writer.write("one ");
    made.writer.writelines({"two ", "three"});
    turn();
    CHECK(kernel.take(made.theirs) == "one two three");
  }

  TEST_CASE_FIXTURE(StreamLoop, "write_eof: ends our side, and theirs can still be read") {
    Connected made = connect();
    made.writer.write("question");
    made.writer.write_eof();
    CHECK_THROWS_WITH_AS(made.writer.write("more"), "Cannot call write() after write_eof()",
                         weir::RuntimeError);
    turn();
    CHECK(kernel.take(made.theirs) == "question");
    CHECK(kernel.at_eof(made.theirs));
    kernel.put(made.theirs, "answer\n");
    const Task<std::string> line = loop.create_task(made.reader.readline());
    turn();
    CHECK(said(line) == R"("answer\n")");
  }

  // CPython: test_streams.py test_async_writer_api_exception_after_close
  TEST_CASE_FIXTURE(StreamLoop, "close: what was written before it is sent, what comes after not") {
    Connected made = connect();
    made.writer.write("before");
    made.writer.close();
    made.writer.write("after");
    turn();
    CHECK(kernel.take(made.theirs) == "before");
    CHECK(kernel.at_eof(made.theirs));
  }

  // CPython: test_streams.py test_eof_feed_when_closing_writer
  TEST_CASE_FIXTURE(StreamLoop, "close: a read that waits ends as at the end of the stream") {
    Connected made = connect();
    const Task<std::string> read = loop.create_task(made.reader.read());
    turn();
    made.writer.close();
    turn();
    CHECK(said(read) == R"("")");
    CHECK(made.reader.at_eof());
  }

  TEST_CASE_FIXTURE(StreamLoop, "close: what was received before it can still be read") {
    Connected made = connect();
    kernel.put(made.theirs, "received");
    turn();
    made.writer.close();
    turn();
    const Task<std::string> read = loop.create_task(made.reader.read());
    turn();
    CHECK(said(read) == R"("received")");
  }

  TEST_CASE_FIXTURE(StreamLoop,
                    "B59: when the last handle has gone, what was written is sent, then the end") {
    std::optional<Connected> made(connect());
    const int theirs = made->theirs;
    made->writer.write("bye");
    made.reset();
    turn();
    CHECK(kernel.take(theirs) == "bye");
    CHECK(kernel.at_eof(theirs));
  }

  TEST_CASE_FIXTURE(StreamLoop, "get_extra_info: knows the socket, and no unknown name") {
    Connected made = connect();
    CHECK(made.writer.get_extra_info("socket").socket().has_value());
    CHECK_FALSE(static_cast<bool>(made.writer.get_extra_info("sslcontext")));
  }
}
