// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

#include <tests/streams/stream_fixture.hpp>
#include <tests/streams/stream_loop.hpp>

using weir::Call;
using weir::Coro;
using weir::FlowControlMixin;
using weir::StreamWriter;
using weir::Task;
using weir::test::Connected;
using weir::test::MockTransport;
using weir::test::ReaderLoop;
using weir::test::said;
using weir::test::StreamLoop;
using namespace std::chrono_literals;

namespace {

struct ByHand : ReaderLoop {
  std::shared_ptr<MockTransport> mock = std::make_shared<MockTransport>();
  std::shared_ptr<FlowControlMixin> protocol = std::make_shared<FlowControlMixin>();
  StreamWriter writer{mock, protocol, std::nullopt, &loop};
};

Coro<> write_and_drain(StreamWriter writer) { co_await writer.write_all("x"); }

std::string came_to(const Task<bool>& task) {
  if (!task.done()) return "PENDING";
  if (task.cancelled()) return "CancelledError";
  if (task.exception()) return said(task.exception());
  return task.result() ? "sent" : "cut";
}

std::string came_to(const Task<std::exception_ptr>& task) {
  if (!task.done()) return "PENDING";
  if (task.cancelled()) return "CancelledError";
  if (task.exception()) return "thrown: " + said(task.exception());
  return task.result() ? said(task.result()) : "nothing";
}

/// A connection over which ten bytes fit, and twenty were written.
struct Stuck : StreamLoop {
  Stuck() { made.writer.write("01234567890123456789"); }
  Connected made = connect(weir::default_limit_bytes, 10);
};

}  // namespace

TEST_SUITE("streams/close_within") {
  TEST_CASE_FIXTURE(StreamLoop,
                    "close_within: with nothing to send it closes, and leaves no timer") {
    const Connected made = connect();
    const Task<bool> task = loop.create_task(made.writer.close_within(5s));
    turn();
    CHECK(came_to(task) == "sent");
    CHECK(loop.timers().empty());
  }

  TEST_CASE_FIXTURE(Stuck, "close_within: sends what was written while there is time") {
    const Task<bool> task = loop.create_task(made.writer.close_within(5s));
    turn();
    kernel.advance(4s);
    turn();
    CHECK(came_to(task) == "PENDING");
    std::string got = kernel.take(made.theirs);
    turn();
    got += kernel.take(made.theirs);
    turn();
    CHECK(got == "01234567890123456789");
    CHECK(came_to(task) == "sent");
    CHECK(loop.timers().empty());
  }

  TEST_CASE_FIXTURE(Stuck, "close_within: throws nothing away before the deadline, then aborts") {
    const Task<bool> task = loop.create_task(made.writer.close_within(5s));
    turn();
    kernel.advance(5s - 3ms);  // Two turns take a millisecond each.
    turn();
    CHECK(made.writer.transport()->get_write_buffer_size() == 10);
    CHECK(came_to(task) == "PENDING");
    turn();
    CHECK(came_to(task) == "cut");
    CHECK(made.writer.transport()->get_write_buffer_size() == 0);
  }

  TEST_CASE_FIXTURE(Stuck, "close_within: cancelled, the deadline stands all the same") {
    const Task<bool> task = loop.create_task(made.writer.close_within(5s));
    turn();
    task.cancel();
    turn();
    CHECK(came_to(task) == "CancelledError");
    CHECK(made.writer.transport()->get_write_buffer_size() == 10);
    kernel.advance(5s);
    turn();
    CHECK(made.writer.transport()->get_write_buffer_size() == 0);
    CHECK(made.writer.transport()->get_protocol() == nullptr);
  }

  TEST_CASE_FIXTURE(Stuck, "close_within: a connection that fails meanwhile is no success") {
    const Task<bool> task = loop.create_task(made.writer.close_within(5s));
    turn();
    kernel.script(Call::send, {.value = 0, .error = EPIPE});
    static_cast<void>(kernel.take(made.theirs));
    turn();
    CHECK(came_to(task) == "cut");
    CHECK(loop.timers().empty());
  }

  TEST_CASE_FIXTURE(Stuck, "close_within: what somebody else's abort throws away is no success") {
    const Task<bool> task = loop.create_task(made.writer.close_within(5s));
    turn();
    made.writer.transport()->abort();
    turn();
    CHECK(came_to(task) == "cut");
    CHECK(loop.timers().empty());
  }

  TEST_CASE_FIXTURE(Stuck, "close_within: an abort that had nothing left to throw away is none") {
    static_cast<void>(kernel.take(made.theirs));
    turn();
    const Task<bool> task = loop.create_task(made.writer.close_within(5s));
    made.writer.transport()->abort();
    turn();
    CHECK(came_to(task) == "sent");
  }

  TEST_CASE_FIXTURE(Stuck, "close_within: in no time at all it aborts at once") {
    const Task<bool> task = loop.create_task(made.writer.close_within(0s));
    turn();
    CHECK(came_to(task) == "cut");
  }

  TEST_CASE_FIXTURE(ByHand,
                    "close_within: after the end it returns at once, true after a clean one") {
    protocol->connection_lost(nullptr);
    const Task<bool> task = loop.create_task(writer.close_within(5s));
    settle();
    CHECK(came_to(task) == "sent");
    CHECK(mock->closes == 1);
    CHECK(mock->aborts == 0);
  }

  TEST_CASE_FIXTURE(ByHand, "close_within: after the loop was closed it needs none") {
    protocol->connection_lost(nullptr);
    loop.close();
    CHECK_NOTHROW(static_cast<void>(writer.close_within(5s)));
  }

  TEST_CASE_FIXTURE(ByHand, "wait_closed_error: gives what wait_closed throws") {
    const std::exception_ptr error = std::make_exception_ptr(weir::ValueError("boom"));
    const Task<std::exception_ptr> before = loop.create_task(writer.wait_closed_error());
    settle();
    CHECK(came_to(before) == "PENDING");
    protocol->connection_lost(error);
    settle();
    const Task<std::exception_ptr> after = loop.create_task(writer.wait_closed_error());
    settle();
    CHECK(before.result() == error);
    CHECK(after.result() == error);
  }

  TEST_CASE_FIXTURE(ByHand, "wait_closed_error: gives nothing after a clean end") {
    const Task<std::exception_ptr> before = loop.create_task(writer.wait_closed_error());
    settle();
    protocol->connection_lost(nullptr);
    settle();
    const Task<std::exception_ptr> after = loop.create_task(writer.wait_closed_error());
    settle();
    CHECK(came_to(before) == "nothing");
    CHECK(came_to(after) == "nothing");
  }

  TEST_CASE_FIXTURE(ByHand, "wait_closed_error: cancelled it throws, and spoils no later one") {
    const Task<std::exception_ptr> task = loop.create_task(writer.wait_closed_error());
    settle();
    task.cancel();
    settle();
    CHECK(came_to(task) == "CancelledError");
    protocol->connection_lost(nullptr);
    const Task<std::exception_ptr> later = loop.create_task(writer.wait_closed_error());
    settle();
    CHECK(came_to(later) == "nothing");
  }

  // ---- write_all

  TEST_CASE_FIXTURE(ByHand, "write_all: writes at once, and drains when awaited") {
    protocol->pause_writing();
    auto writing = writer.write_all("page");
    CHECK(mock->written == "page");
    const Task<> task = loop.create_task(writing);
    settle();
    CHECK(said(task) == "PENDING");
    protocol->resume_writing();
    settle();
    CHECK(said(task) == "done");
    CHECK(mock->written == "page");
  }

  TEST_CASE_FIXTURE(ByHand, "write_all: takes pieces, and does not join them") {
    const std::string_view pieces[] = {"head", "body"};
    const Task<> task = loop.create_task(writer.write_all(std::span(pieces)));
    settle();
    CHECK(said(task) == "done");
    CHECK(mock->written == "[head][body]");
  }

  TEST_CASE_FIXTURE(ByHand, "write_all: on a lost connection fails as drain does") {
    protocol->connection_lost(nullptr);
    const Task<> task = loop.create_task(writer.write_all("late"));
    settle();
    CHECK(said(task) == "ConnectionResetError: Connection lost");
  }

  // ---- What "Connection lost" came from

  // asyncio's first drain after a failed send says only that.
  TEST_CASE_FIXTURE(StreamLoop, "drain: Connection lost has the error of the connection as cause") {
    const Connected made = connect();
    made.writer.transport()->set_gather(false);
    kernel.script(Call::send, {.value = 0, .error = EPIPE});
    const Task<> task = loop.create_task(write_and_drain(made.writer));
    settle();
    std::exception_ptr cause;
    try {
      task.result();
    } catch (const weir::ConnectionResetError& lost) {
      CHECK(std::string_view(lost.what()) == "Connection lost");
      cause = lost.cause;
    }
    CHECK(said(cause) == "BrokenPipeError: [Errno 32] Broken pipe");
  }

  TEST_CASE_FIXTURE(ByHand, "drain: Connection lost after a clean end has no cause") {
    protocol->connection_lost(nullptr);
    const Task<> task = loop.create_task(writer.drain());
    settle();
    std::exception_ptr cause = std::make_exception_ptr(0);
    try {
      task.result();
    } catch (const weir::ConnectionResetError& lost) {
      cause = lost.cause;
    }
    CHECK(cause == nullptr);
  }
}
