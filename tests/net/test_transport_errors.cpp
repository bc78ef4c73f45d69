// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cerrno>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tests/net/net_loop.hpp>

using namespace weir;
using weir::test::error_of;
using weir::test::NetLoop;
using weir::test::Recorder;

namespace {

/// Not derived from anything.
struct Strange {};

}  // namespace

TEST_SUITE_BEGIN("net/transport_errors");

// ---- Callbacks that throw

// CPython: test_selector_events.py SelectorSocketTransportTests.test_data_received_error
TEST_CASE_FIXTURE(NetLoop,
                  "data_received: what it throws is reported once, and ends the connection") {
  const Link link = this->link();
  link.protocol->on_data = [] { throw RuntimeError("cannot parse"); };
  kernel.put(link.peer, "data");
  run();
  CHECK(link.protocol->trace == "made data(data) lost(cannot parse) ");
  CHECK_THROWS_AS(std::rethrow_exception(link.protocol->error), RuntimeError);
  CHECK(take_report() ==
        "Fatal error: protocol.data_received() call failed.: RuntimeError: cannot parse");
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_read_eof_received_error
TEST_CASE_FIXTURE(NetLoop,
                  "eof_received: what it throws is reported once, and ends the connection") {
  const Link link = this->link();
  link.protocol->keep_open = true;
  link.protocol->on_eof = [] { throw RuntimeError("no"); };
  kernel.put_eof(link.peer);
  run();
  CHECK(link.protocol->trace == "made eof lost(no) ");
  CHECK(take_report() == "Fatal error: protocol.eof_received() call failed.: RuntimeError: no");
}

// CPython: test_selector_events.py SelectorTransportTests.test_fatal_error
TEST_CASE_FIXTURE(NetLoop,
                  "data_received, eof_received: an OSError ends the connection without a report") {
  for (const bool at_eof : {false, true}) {
    CAPTURE(at_eof);
    const Link link = this->link();
    (at_eof ? link.protocol->on_eof : link.protocol->on_data) = [] { throw_os_error(EIO); };
    kernel.put(link.peer, "data");
    kernel.put_eof(link.peer);
    run();
    CHECK(link.protocol->trace.ends_with("lost([Errno 5] Input/output error) "));
    CHECK(take_reports().empty());
  }
}

TEST_CASE_FIXTURE(NetLoop,
                  "data_received: anything can be thrown, also what is no std::exception") {
  const std::function<void()> throws[] = {[] { throw Strange(); },
                                          [] { throw CancelledError("c"); }, [] { throw 42; }};
  const std::string names[] = {"(anonymous namespace)::Strange", "CancelledError: c", "int"};
  for (int i = 0; i < 3; ++i) {
    const Link link = this->link();
    link.protocol->on_data = throws[i];
    kernel.put(link.peer, "data");
    run();
    CHECK(link.protocol->lost());
    CHECK(take_report() == "Fatal error: protocol.data_received() call failed.: " + names[i]);
  }
}

// CPython: test_selector_events.py SelectorTransportTests.test_fatal_error_custom_exception
TEST_CASE_FIXTURE(NetLoop,
                  "report: says which transport and which protocol, as asyncio's keys do") {
  const Link link = this->link();
  const std::string repr = link.transport->repr();
  link.protocol->on_data = [] { throw RuntimeError("no"); };
  kernel.put(link.peer, "data");
  run();
  const std::vector<ExceptionContext> reports = take_reports();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].get("transport") == repr);
  CHECK(reports[0].get("protocol") == "<Recorder>");
  CHECK(reports[0].exception == link.protocol->error);
}

TEST_CASE_FIXTURE(NetLoop, "data_received: one that throws costs its own connection only") {
  const Link one = link();
  const Link other = link();
  one.protocol->on_data = [] { throw RuntimeError("no"); };
  kernel.put(one.peer, "data");
  kernel.put(other.peer, "data");
  run();
  CHECK(take_reports().size() == 1);
  CHECK(other.protocol->trace == "made data(data) ");
}

TEST_CASE_FIXTURE(NetLoop, "data_received: what it wrote before it threw is sent") {
  const Link link = this->link();
  link.protocol->on_data = [&] {
    link.transport->write("ERR no\r\n");
    throw RuntimeError("no");
  };
  kernel.put(link.peer, "data");
  run();
  CHECK(take_reports().size() == 1);
  CHECK(kernel.take(link.peer) == "ERR no\r\n");
}

// ---- The system's errors

// CPython: test_selector_events.py SelectorSocketTransportTests.test_read_ready_err
TEST_CASE_FIXTURE(
    NetLoop, "read: every error of the system ends the connection silently, with its own class") {
  struct Row {
    int error;
    std::string text;
  };
  for (const Row& row : std::vector<Row>{
           {ECONNRESET, "ConnectionResetError: [Errno 104] Connection reset by peer"},
           {ETIMEDOUT, "TimeoutError: [Errno 110] Connection timed out"},
           {EPIPE, "BrokenPipeError: [Errno 32] Broken pipe"},
           {ECONNABORTED, "ConnectionAbortedError: [Errno 103] Software caused connection abort"},
           {EHOSTUNREACH, "OSError: [Errno 113] No route to host"},
           {ENETDOWN, "OSError: [Errno 100] Network is down"},
           {ENOMEM, "OSError: [Errno 12] Cannot allocate memory"},
           {EIO, "OSError: [Errno 5] Input/output error"}}) {
    CAPTURE(row.text);
    for (const Call call : {Call::recv, Call::send}) {
      const Link link = this->link();
      kernel.script(call, {.error = row.error});
      kernel.put(link.peer, "data");
      if (call == Call::send) link.transport->write("data");
      run();
      REQUIRE(link.protocol->lost());
      CHECK(describe(link.protocol->error) == row.text);
      CHECK(take_reports().empty());
    }
  }
}

TEST_CASE_FIXTURE(NetLoop,
                  "read: an error with bytes waiting throws them away, the first error counts") {
  const Link link = narrow_link(1);
  in_loop([&] { link.transport->write("abc"); });
  kernel.script(Call::recv, {.error = ETIMEDOUT});
  kernel.put(link.peer, "data");
  in_loop([&] { kernel.reset(link.peer); });
  CHECK(link.protocol->trace == "made lost([Errno 110] Connection timed out) ");
}

TEST_CASE_FIXTURE(NetLoop, "read: an error on a half-closed connection is still told") {
  const Link link = narrow_link(1);
  link.protocol->keep_open = true;
  kernel.put_eof(link.peer);
  in_loop([&] { link.transport->write("abc"); });
  kernel.reset(link.peer);
  run();
  CHECK(link.protocol->trace == "made eof lost([Errno 104] Connection reset by peer) ");
}

TEST_CASE_FIXTURE(NetLoop, "errors: in debug mode the silent ones are logged") {
  loop.set_debug(true);
  const Link link = this->link();
  kernel.reset(link.peer);
  run();
  REQUIRE(logged.size() == 1);
  CHECK(logged[0].starts_with("debug: <SocketTransport fd="));
  CHECK(logged[0].ends_with(
      ": Fatal read error on socket transport (ConnectionResetError: [Errno 104] "
      "Connection reset by peer)"));
}

TEST_CASE_FIXTURE(NetLoop, "errors: in debug mode a send that fails is logged, too") {
  loop.set_debug(true);
  const Link link = this->link();
  kernel.script(Call::send, {.error = EPIPE});
  in_loop([&] { link.transport->write("x"); });
  REQUIRE(logged.size() == 1);
  CHECK(logged[0].ends_with(
      ": Fatal write error on socket transport (BrokenPipeError: [Errno 32] Broken pipe)"));
}

// ---- Handlers

TEST_CASE_FIXTURE(
    NetLoop,
    "report: an exception handler may close, abort or write to the transport it is told of") {
  for (const int action : {0, 1, 2}) {
    CAPTURE(action);
    const Link link = this->link();
    int reports = 0;
    loop.set_exception_handler([&](EventLoop&, const ExceptionContext&) {
      ++reports;
      if (action == 0) link.transport->close();
      if (action == 1) link.transport->abort();
      if (action == 2) link.transport->write("goodbye");
    });
    link.protocol->on_data = [] { throw RuntimeError("no"); };
    kernel.put(link.peer, "data");
    run();
    loop.set_exception_handler(nullptr);
    CHECK(reports == 1);
    CHECK(link.protocol->lost());
  }
}

// ---- Ctrl-C

TEST_CASE_FIXTURE(
    NetLoop, "KeyboardInterrupt: goes through every callback, out of run_forever, unreported") {
  const auto interrupted = [&](const std::function<void()>& cause) {
    return error_of([&] {
      loop.call_soon([&] { cause(); });
      run();
    });
  };
  const auto ctrl_c = [] { throw KeyboardInterrupt(); };

  const auto impatient = std::make_shared<Recorder>();
  impatient->on_made = ctrl_c;
  start(impatient);
  CHECK(error_of([&] { run(); }) == "KeyboardInterrupt");

  const Link link = narrow_link(1);
  link.transport->set_write_buffer_limits(0);
  link.protocol->keep_open = true;
  link.protocol->on_data = link.protocol->on_eof = link.protocol->on_pause =
      link.protocol->on_resume = link.protocol->on_lost = ctrl_c;
  CHECK(interrupted([&] { kernel.put(link.peer, "data"); }) == "KeyboardInterrupt");
  CHECK(interrupted([&] { link.transport->write("ab"); }) == "KeyboardInterrupt");
  CHECK(interrupted([&] { kernel.take(link.peer); }) == "KeyboardInterrupt");
  CHECK(interrupted([&] { kernel.put_eof(link.peer); }) == "KeyboardInterrupt");
  CHECK(interrupted([&] { link.transport->close(); }) == "KeyboardInterrupt");
  CHECK(link.protocol->trace == "made data(data) pause resume eof lost() ");
  CHECK(kernel.take(link.peer) == "b");
  CHECK(kernel.at_eof(link.peer));
}

TEST_SUITE_END();
