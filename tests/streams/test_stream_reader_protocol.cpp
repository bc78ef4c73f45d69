// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/net/read_block.hpp>
#include <weir/streams/stream_reader_protocol.hpp>

#include <tests/streams/stream_fixture.hpp>
#include <tests/streams/stream_loop.hpp>

using weir::ClientConnected;
using weir::Coro;
using weir::ExceptionContext;
using weir::StreamReader;
using weir::StreamReaderProtocol;
using weir::StreamWriter;
using weir::Task;
using weir::test::Connected;
using weir::test::MockTransport;
using weir::test::ReaderLoop;
using weir::test::said;
using weir::test::StreamLoop;

namespace {

/// A protocol driven by hand, as a transport would.
struct ByHand : ReaderLoop {
  std::shared_ptr<StreamReaderProtocol> make(ClientConnected client = {}) {
    return std::make_shared<StreamReaderProtocol>(reader, std::move(client));
  }
  /// Calls connection_made, on the loop.
  void connect(const std::shared_ptr<StreamReaderProtocol>& protocol) {
    loop.call_soon([protocol, this] { protocol->connection_made(mock); });
    pass();
  }
  StreamReader reader{loop};
  std::shared_ptr<MockTransport> mock = std::make_shared<MockTransport>();
};

Coro<> returns_at_once(StreamReader, StreamWriter) { co_return; }

Coro<> throws_after_a_line(StreamReader reader, StreamWriter) {
  const std::string line = co_await reader.readline();
  throw std::runtime_error("boom: " + line);
}

Coro<> waits_for_ever(StreamReader reader, StreamWriter) {
  const std::string line = co_await reader.readline();
}

Coro<> cancelled_by_hand(StreamReader, StreamWriter) {
  const int local = 1;
  throw weir::CancelledError(local == 1 ? "stop" : "");
  co_return;
}

Coro<> throws_at_once(StreamReader, StreamWriter) {
  const int local = 1;
  if (local == 1) throw std::runtime_error("boom");
  co_return;
}

Coro<> interrupted(StreamReader, StreamWriter) {
  const int local = 1;
  if (local == 1) throw weir::KeyboardInterrupt();
  co_return;
}

std::string message_of(const ExceptionContext& report) { return report.message; }

}  // namespace

TEST_SUITE("streams/stream_reader_protocol") {
  TEST_CASE_FIXTURE(ByHand, "connection_made: gives the reader its transport") {
    const auto protocol = make();
    connect(protocol);
    CHECK(reader.repr() == "<StreamReader transport=<T>>");
    CHECK(protocol->reader().repr() == reader.repr());
  }

  TEST_CASE_FIXTURE(ByHand, "connection_made: a second time is an assertion") {
    const auto protocol = make();
    connect(protocol);
    CHECK_THROWS_WITH_AS(protocol->connection_made(mock), "Transport already set",
                         weir::AssertionError);
  }

  TEST_CASE_FIXTURE(ByHand, "connection_made: a coroutine's first step is one pass later") {
    bool called = false;
    bool stepped = false;
    const auto client = [&](StreamReader, StreamWriter) -> Coro<> {
      stepped = true;
      co_return;
    };
    const auto protocol = make([&](StreamReader r, StreamWriter w) {
      called = true;
      return client(std::move(r), std::move(w));
    });
    connect(protocol);
    CHECK(called);
    CHECK_FALSE(stepped);
    pass();
    CHECK(stepped);
  }

  TEST_CASE_FIXTURE(ByHand, "connection_made: a plain callback is called inside it") {
    std::optional<StreamWriter> kept;
    const auto protocol = make([&](StreamReader, StreamWriter writer) { kept.emplace(writer); });
    connect(protocol);
    REQUIRE(kept.has_value());
    settle();
    CHECK(mock->closes == 0);
    kept.reset();
    settle();
    CHECK(mock->closes == 1);
  }

  TEST_CASE_FIXTURE(ByHand, "connection_made: without a callback nothing is closed") {
    const auto protocol = make();
    connect(protocol);
    settle();
    CHECK(mock->closes == 0);
  }

  // CPython 3.13: the abandoned writer's destructor closes
  TEST_CASE_FIXTURE(ByHand, "client: a coroutine that returns ends its connection") {
    connect(make(returns_at_once));
    settle();
    CHECK(mock->closes == 1);
  }

  TEST_CASE_FIXTURE(ByHand, "client: a plain callback that keeps nothing ends its connection") {
    connect(make([](StreamReader, StreamWriter) {}));
    settle();
    CHECK(mock->closes == 1);
  }

  // CPython: test_streams.py test_unhandled_exception
  TEST_CASE_FIXTURE(ByHand, "client: a coroutine that throws is reported once, and closed") {
    const auto protocol = make(throws_after_a_line);
    connect(protocol);
    settle();
    CHECK(mock->closes == 0);
    protocol->data_received("x");
    protocol->data_received("\n");
    settle();
    const std::vector<ExceptionContext> reports = take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(message_of(reports[0]) == "Unhandled exception in client_connected_cb");
    CHECK(weir::describe(reports[0].exception).ends_with("boom: x\n"));
    CHECK(to_string(reports[0]).find("transport: <T>") != std::string::npos);
    CHECK(mock->closing);
  }

  TEST_CASE_FIXTURE(ByHand, "client: a plain callback that throws is reported once, and closed") {
    connect(make([](StreamReader, StreamWriter) { throw std::runtime_error("boom"); }));
    settle();
    const std::vector<ExceptionContext> reports = take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(message_of(reports[0]) == "Unhandled exception in client_connected_cb");
    CHECK(mock->closing);
  }

  // CPython: test_streams.py test_unhandled_cancel
  TEST_CASE_FIXTURE(ByHand, "client: one that ends cancelled is closed, and not reported") {
    connect(make(cancelled_by_hand));
    settle();
    CHECK(mock->closing);
    CHECK(take_reports().empty());
  }

  TEST_CASE_FIXTURE(ByHand, "client: one that fails is closed, also when its writer is kept") {
    for (const auto client : {cancelled_by_hand, throws_at_once}) {
      const auto mocked = std::make_shared<MockTransport>();
      std::optional<StreamWriter> kept;
      const auto keeps = [&kept, client](StreamReader its_reader, StreamWriter writer) {
        kept.emplace(writer);
        return client(std::move(its_reader), std::move(writer));
      };
      const auto protocol = std::make_shared<StreamReaderProtocol>(StreamReader(loop), keeps);
      loop.call_soon([&] { protocol->connection_made(mocked); });
      pass();
      settle();
      CHECK(mocked->closing);
    }
    CHECK(take_reports().size() == 1);
  }

  TEST_CASE("client: cancelled by the end of the loop it is closed, and not reported") {
    ByHand test;
    test.connect(test.make(waits_for_ever));
    test.settle();
    CHECK_FALSE(test.mock->closing);
    test.loop.close();
    CHECK(test.mock->closing);
    CHECK(test.take_reports().empty());
  }

  TEST_CASE_FIXTURE(ByHand, "client: KeyboardInterrupt is the program's: it ends the loop") {
    const auto protocol = make(interrupted);
    connect(protocol);
    CHECK_THROWS_AS(settle(), weir::KeyboardInterrupt);
    settle();  // As any task's: those who wait for its end hear of it in the next run.
    CHECK(mock->closing);
    for (const ExceptionContext& report : take_reports()) {
      CHECK(message_of(report) != "Unhandled exception in client_connected_cb");
    }
  }

  TEST_CASE_FIXTURE(ByHand,
                    "B81: the captures of a client callback live as long as its coroutines") {
    auto token = std::make_shared<std::string>("captured");
    const std::weak_ptr<std::string> watch = token;
    std::string seen;
    {
      const auto client = [&seen, token = std::move(token)](StreamReader its_reader,
                                                            StreamWriter writer) -> Coro<> {
        {
          const StreamWriter gone = std::move(writer);
        }  // It would keep the protocol.
        const std::string line = co_await its_reader.readline();
        seen = *token + line;
      };
      std::shared_ptr<StreamReaderProtocol> protocol = make(client);
      connect(protocol);
      settle();
      protocol->connection_lost(nullptr);  // After it nobody keeps the protocol but the task.
    }
    CHECK_FALSE(watch.expired());
    settle();
    CHECK(seen == "captured");
    CHECK(watch.expired());
  }

  TEST_CASE_FIXTURE(ByHand, "data_received: bytes of anybody's are copied") {
    const auto protocol = make();
    connect(protocol);
    std::string bytes = "abc";
    protocol->data_received(bytes);
    bytes.assign("###");
    CHECK(reader.state().buffered() == "abc");
  }

  TEST_CASE_FIXTURE(StreamLoop,
                    "data_received: bytes that Ctrl-C leaves unread stay what they are") {
    const Connected mine = connect();
    const Connected other = connect();
    const auto reads_and_is_interrupted = [](StreamReader reader) -> Coro<> {
      const std::string line = co_await reader.readline();
      throw weir::KeyboardInterrupt();
    };
    const Task<> task = loop.create_task(reads_and_is_interrupted(mine.reader));
    settle();
    kernel.put(mine.theirs, "one\ntwo\n");
    CHECK_THROWS_AS(turn(), weir::KeyboardInterrupt);
    CHECK(task.exception() != nullptr);
    kernel.put(other.theirs, "theirs\n");
    turn();
    const auto reads = [](StreamReader reader) -> Coro<std::string> {
      std::string line = co_await reader.readline();
      co_return line;
    };
    CHECK(loop.run_until_complete(reads(mine.reader)) == "two\n");
    CHECK(loop.run_until_complete(reads(other.reader)) == "theirs\n");
  }

  TEST_CASE_FIXTURE(ByHand, "eof_received: ends the reader, and keeps the connection open") {
    const auto protocol = make();
    connect(protocol);
    CHECK(protocol->eof_received());
    CHECK(reader.at_eof());
    CHECK_FALSE(mock->closing);
  }

  TEST_CASE_FIXTURE(ByHand, "connection_lost: a clean end is the end of the stream") {
    const auto protocol = make();
    connect(protocol);
    const Task<std::string> line = run(reader, weir::test::readline());
    protocol->data_received("rest");
    protocol->connection_lost(nullptr);
    settle();
    CHECK(said(line) == R"("rest")");
    CHECK(reader.exception() == nullptr);
  }

  TEST_CASE_FIXTURE(ByHand, "connection_lost: an error is the reader's, and no end of the stream") {
    const auto protocol = make();
    connect(protocol);
    const std::exception_ptr error = std::make_exception_ptr(weir::ValueError("boom"));
    protocol->connection_lost(error);
    CHECK(reader.exception() == error);
    CHECK_FALSE(reader.at_eof());
  }

  TEST_CASE_FIXTURE(ByHand, "connection_lost: the reader does not touch its transport again") {
    const StreamReader small(loop, 1);
    const auto protocol = std::make_shared<StreamReaderProtocol>(small);
    connect(protocol);
    protocol->data_received("abc");
    CHECK(mock->flow == "P");
    protocol->connection_lost(nullptr);
    mock.reset();
    CHECK(said(run(small, weir::test::readexactly(3))) == R"("abc")");
    CHECK(said(run(small, weir::test::read(1))) == R"("")");
  }

  // CPython: StreamReaderProtocol.__del__ marks the exception of `closed` as retrieved
  TEST_CASE_FIXTURE(ByHand, "connection_lost: an error that nobody asks for is reported nowhere") {
    {
      const auto protocol = make();
      connect(protocol);
      protocol->connection_lost(std::make_exception_ptr(weir::ValueError("boom")));
    }
    settle();
    CHECK(take_reports().empty());
  }

  TEST_CASE_FIXTURE(ByHand, "repr: says which connection, while there is one") {
    const auto protocol = make();
    CHECK(protocol->repr() == "<StreamReaderProtocol>");
    connect(protocol);
    CHECK(protocol->repr() == "<StreamReaderProtocol transport=<T>>");
    protocol->connection_lost(nullptr);
    CHECK(protocol->repr() == "<StreamReaderProtocol>");
  }

  TEST_CASE_FIXTURE(StreamLoop, "pause_writing: the log of debug mode says which connection") {
    std::vector<std::string> logged;
    loop.set_log_sink([&](weir::LogLevel, std::string_view text) { logged.emplace_back(text); });
    Connected made = connect(weir::default_limit_bytes, 1);
    loop.set_debug(true);
    const std::string transport = made.writer.transport()->repr();
    made.writer.transport()->set_write_buffer_limits(1);
    made.writer.write("abc");
    loop.set_debug(false);
    CHECK(logged ==
          std::vector{"<StreamReaderProtocol transport=" + transport + "> pauses writing"});
  }

  TEST_CASE_FIXTURE(StreamLoop, "by hand: works with create_connection and a writer made from it") {
    const int listener = kernel.listen_on(8888);
    const StreamReader reader(loop);
    const auto factory = [&] { return std::make_shared<StreamReaderProtocol>(reader); };
    const auto made = loop.run_until_complete(weir::create_connection(factory, "127.0.0.1", 8888));
    const StreamWriter writer(made.transport, made.protocol, reader, &loop);
    const int theirs = kernel.accept_from(listener);
    writer.write("ping\n");
    turn();
    CHECK(kernel.take(theirs) == "ping\n");
    kernel.put(theirs, "pong\n");
    const Task<std::string> line = loop.create_task(reader.readline());
    turn();
    CHECK(said(line) == R"("pong\n")");
  }

  TEST_CASE_FIXTURE(StreamLoop, "data_received: after feed_eof by hand is fatal, and reported") {
    Connected made = connect();
    made.reader.feed_eof();
    kernel.put(made.theirs, "x");
    turn();
    const std::vector<ExceptionContext> reports = take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(message_of(reports[0]) == "Fatal error: protocol.data_received() call failed.");
    CHECK(made.writer.is_closing());
    const Task<std::string> read = loop.create_task(made.reader.read());
    settle();
    CHECK(said(read) == "AssertionError: feed_data after feed_eof");
  }
}
