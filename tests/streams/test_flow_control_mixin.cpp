// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/streams/flow_control_mixin.hpp>
#include <weir/streams/stream_writer.hpp>

#include <tests/streams/stream_fixture.hpp>

using weir::Coro;
using weir::FlowControlMixin;
using weir::StreamWriter;
using weir::Task;
using weir::test::MockTransport;
using weir::test::ReaderLoop;
using weir::test::said;

namespace {

struct ByHand : ReaderLoop {
  std::shared_ptr<MockTransport> mock = std::make_shared<MockTransport>();
  std::shared_ptr<FlowControlMixin> protocol = std::make_shared<FlowControlMixin>();
  StreamWriter writer{mock, protocol, std::nullopt, &loop};
};

/// A loop that writes down what it logs.
struct Logging : ReaderLoop {
  Logging() {
    loop.set_log_sink([this](weir::LogLevel level, std::string_view text) {
      logged.push_back(std::string(to_string(level)) + ": " + std::string(text));
    });
  }
  std::vector<std::string> logged;
};

Coro<> notes_end(StreamWriter writer, bool drains, std::string* order) {
  if (drains) {
    co_await writer.drain();
  } else {
    co_await writer.wait_closed();
  }
  *order += drains ? "drain " : "closed ";
}

}  // namespace

TEST_SUITE("streams/flow_control_mixin") {
  TEST_CASE("pause_writing: while paused is an assertion") {
    FlowControlMixin protocol;
    protocol.pause_writing();
    CHECK_THROWS_AS(protocol.pause_writing(), weir::AssertionError);
    CHECK(protocol.writing_paused());
  }

  TEST_CASE("resume_writing: while not paused is an assertion") {
    FlowControlMixin protocol;
    CHECK_THROWS_AS(protocol.resume_writing(), weir::AssertionError);
    CHECK_FALSE(protocol.writing_paused());
  }

  TEST_CASE("resume_writing: makes room for the next pause") {
    FlowControlMixin protocol;
    protocol.pause_writing();
    protocol.resume_writing();
    CHECK_FALSE(protocol.writing_paused());
    CHECK_NOTHROW(protocol.pause_writing());
  }

  TEST_CASE_FIXTURE(Logging, "pause_writing, resume_writing: are logged in debug mode") {
    loop.set_debug(true);
    FlowControlMixin protocol(&loop);
    protocol.pause_writing();
    CHECK(logged == std::vector<std::string>{"debug: <Protocol> pauses writing"});
    protocol.resume_writing();
    CHECK(logged.size() == 2);
    CHECK(logged.back() == "debug: <Protocol> resumes writing");
  }

  TEST_CASE_FIXTURE(Logging, "pause_writing, resume_writing: are logged in debug mode only") {
    loop.set_debug(false);
    FlowControlMixin protocol(&loop);
    protocol.pause_writing();
    protocol.resume_writing();
    CHECK(logged.empty());
  }

  TEST_CASE("pause_writing: when the loop is gone, is logged to nobody") {
    weir::FakeKernel kernel;
    auto loop = std::make_unique<weir::EventLoop>(kernel);
    loop->set_debug(true);
    FlowControlMixin protocol(loop.get());
    loop->close();
    loop.reset();
    protocol.pause_writing();
    CHECK(protocol.writing_paused());
  }

  TEST_CASE("connection_lost: is remembered with its reason, and does not end the pause") {
    FlowControlMixin protocol;
    CHECK_FALSE(protocol.is_lost());
    protocol.pause_writing();
    const std::exception_ptr error = std::make_exception_ptr(weir::ValueError("boom"));
    protocol.connection_lost(error);
    CHECK(protocol.is_lost());
    CHECK(protocol.lost_error() == error);
    CHECK(protocol.writing_paused());
  }

  TEST_CASE_FIXTURE(ByHand, "connection_lost: a clean end releases every drain with success") {
    protocol->pause_writing();
    const Task<> first = loop.create_task(writer.drain());
    const Task<> second = loop.create_task(writer.drain());
    settle();
    protocol->connection_lost(nullptr);
    settle();
    CHECK(said(first) == "done");
    CHECK(said(second) == "done");
  }

  TEST_CASE_FIXTURE(ByHand, "connection_lost: an error is thrown by every drain, the same object") {
    protocol->pause_writing();
    const Task<> first = loop.create_task(writer.drain());
    const Task<> second = loop.create_task(writer.drain());
    settle();
    const std::exception_ptr error = std::make_exception_ptr(weir::ValueError("boom"));
    protocol->connection_lost(error);
    settle();
    CHECK(first.exception() == error);
    CHECK(second.exception() == error);
  }

  // CPython: streams.py StreamReaderProtocol.connection_lost, in its order
  TEST_CASE_FIXTURE(ByHand, "connection_lost: wakes wait_closed before drain") {
    protocol->pause_writing();
    std::string order;
    const Task<> drain = loop.create_task(notes_end(writer, true, &order));
    const Task<> closed = loop.create_task(notes_end(writer, false, &order));
    settle();
    protocol->connection_lost(nullptr);
    settle();
    CHECK(order == "closed drain ");
  }

  TEST_CASE_FIXTURE(ByHand, "drain: after the loss is ConnectionResetError, paused or not") {
    protocol->connection_lost(nullptr);
    const Task<> task = loop.create_task(writer.drain());
    settle();
    CHECK(said(task) == "ConnectionResetError: Connection lost");
    CHECK_THROWS_AS(task.result(), weir::ConnectionResetError);
  }
}
