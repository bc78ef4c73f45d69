// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <tests/net/net_loop.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::error_of;
using weir::test::NetLoop;
using weir::test::Recorder;

TEST_SUITE_BEGIN("net/transport_reading");

// ---- connection_made, then reading, then whoever waits for both

// CPython: test_selector_events.py SelectorSocketTransportTests.test_ctor_with_waiter
TEST_CASE_FIXTURE(NetLoop,
                  "start: connection_made, then the one who waits for it, then the first bytes") {
  std::string order;
  const auto protocol = std::make_shared<Recorder>();
  protocol->hears = [&](const std::string& word) { order += word + " "; };
  const Link link = start(protocol, [&] { order += "connected "; });
  kernel.put(link.peer, "early");
  CHECK(order == "");
  pass();
  CHECK(order == "made connected ");
  run();
  CHECK(order == "made connected data(early) ");
}

TEST_CASE_FIXTURE(NetLoop, "start: connection_made is told of the transport itself") {
  const Link link = this->link();
  CHECK(link.protocol->transport == link.transport);
  CHECK(link.transport->get_protocol() == link.protocol);
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_pause_reading_connection_made
TEST_CASE_FIXTURE(NetLoop,
                  "connection_made: one that pauses reading hears nothing until it resumes") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->on_made = [&] { protocol->transport->pause_reading(); };
  const Link link = start(protocol);
  kernel.put(link.peer, "early");
  run(1h);
  CHECK(protocol->trace == "made ");
  CHECK(busy_polls == 0);
  link.transport->resume_reading();
  run();
  CHECK(protocol->trace == "made data(early) ");
}

TEST_CASE_FIXTURE(NetLoop, "connection_made: one that pauses and resumes hears everything") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->on_made = [&] {
    protocol->transport->pause_reading();
    protocol->transport->resume_reading();
  };
  const Link link = start(protocol);
  kernel.put(link.peer, "early");
  run();
  CHECK(protocol->trace == "made data(early) ");
}

TEST_CASE_FIXTURE(NetLoop, "connection_made: one that closes, or aborts, hears of no data") {
  for (const bool abort : {false, true}) {
    CAPTURE(abort);
    const auto protocol = std::make_shared<Recorder>();
    protocol->on_made = [&] {
      abort ? protocol->transport->abort() : protocol->transport->close();
    };
    const Link link = start(protocol);
    kernel.put(link.peer, "early");
    run();
    CHECK(protocol->trace == "made lost() ");
  }
}

TEST_CASE_FIXTURE(NetLoop,
                  "connection_made: one that throws is reported, and the connection goes on") {
  const auto protocol = std::make_shared<Recorder>();
  protocol->on_made = [] { throw RuntimeError("no thanks"); };
  const Link link = start(protocol);
  kernel.put(link.peer, "data");
  run();
  CHECK(protocol->trace == "made data(data) ");
  const std::string report = take_report();
  CHECK(report.starts_with("Exception in callback"));
  CHECK(report.ends_with("RuntimeError: no thanks"));
}

TEST_CASE_FIXTURE(NetLoop,
                  "start: a poller that refuses the socket ends the connection with its error") {
  const Link link = start();
  kernel.script(Call::poller_set, {.error = ENOSPC});
  run();
  CHECK(link.protocol->trace == "made lost([Errno 28] No space left on device) ");
}

TEST_CASE_FIXTURE(NetLoop, "start: without a protocol it refuses, and closes the socket") {
  int peer = -1;
  Socket socket = connected_socket(peer);
  CHECK(error_of([&] {
          detail::SocketTransport::start(loop, std::move(socket), nullptr, Endpoint(), nullptr, {});
        }) == "ValueError: a protocol was expected, got None");
  CHECK(kernel.at_eof(peer));
}

TEST_CASE_FIXTURE(NetLoop, "start: on a closed loop it refuses, and closes the socket") {
  int peer = -1;
  Socket socket = connected_socket(peer);
  loop.close();
  CHECK(error_of([&] {
          detail::SocketTransport::start(loop, std::move(socket), std::make_shared<Recorder>(),
                                         Endpoint(), nullptr, {});
        }) == "RuntimeError: Event loop is closed");
  CHECK(kernel.at_eof(peer));
}

TEST_CASE_FIXTURE(NetLoop, "start: takes the socket over from whoever watched it") {
  int peer = -1;
  Socket socket = connected_socket(peer);
  int calls_of_user = 0;
  loop.add_reader(socket.fd(), [&] { ++calls_of_user; });
  loop.add_writer(socket.fd(), [&] { ++calls_of_user; });
  const auto protocol = std::make_shared<Recorder>();
  detail::SocketTransport::start(loop, std::move(socket), protocol, Endpoint(), nullptr, {});
  kernel.put(peer, "data");
  run();
  CHECK(protocol->trace == "made data(data) ");
  CHECK(calls_of_user == 0);
}

// ---- Data

// CPython: test_selector_events.py SelectorSocketTransportTests.test_read_ready
TEST_CASE_FIXTURE(NetLoop, "data_received: gets what has arrived, once") {
  const Link link = this->link();
  kernel.put(link.peer, "data");
  run();
  run();
  CHECK(link.protocol->trace == "made data(data) ");
}

TEST_CASE_FIXTURE(NetLoop, "data_received: at most 256 KiB come at a time, in one recv each") {
  const Link link = this->link();
  kernel.put(link.peer, std::string(600'000, 'x'));
  calls.reset();
  run();
  CHECK(link.protocol->trace == "made data[262144] data[262144] data[75712] ");
  CHECK(calls.count(Call::recv) == 3);
}

TEST_CASE_FIXTURE(NetLoop, "B21: two busy peers take turns") {
  std::string order;
  const Link one = link();
  const Link other = link();
  one.protocol->on_data = [&] { order += "1"; };
  other.protocol->on_data = [&] { order += "2"; };
  kernel.put(one.peer, std::string(600'000, 'x'));
  kernel.put(other.peer, std::string(600'000, 'y'));
  run();
  CHECK(order == "121212");
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_read_ready_tryagain,
// ..._interrupted
TEST_CASE_FIXTURE(NetLoop, "read: a recv that would block or was interrupted is tried again") {
  const Link link = this->link();
  for (const int error : {EAGAIN, EWOULDBLOCK, EINTR}) kernel.script(Call::recv, {.error = error});
  kernel.put(link.peer, "data");
  run();
  CHECK(link.protocol->trace == "made data(data) ");
}

// ---- The end of the stream

// CPython: test_selector_events.py SelectorSocketTransportTests.test_read_ready_eof
TEST_CASE_FIXTURE(NetLoop, "eof_received: false closes the connection") {
  const Link link = this->link();
  kernel.put(link.peer, "last");
  kernel.put_eof(link.peer);
  run();
  CHECK(link.protocol->trace == "made data(last) eof lost() ");
}

// CPython: test_selector_events.py SelectorSocketTransportTests.test_read_ready_eof_keep_open
TEST_CASE_FIXTURE(NetLoop, "eof_received: true keeps the connection open for writing") {
  const Link link = this->link();
  link.protocol->keep_open = true;
  kernel.put_eof(link.peer);
  run(1h);
  CHECK(link.protocol->trace == "made eof ");
  CHECK(busy_polls == 1);
  link.transport->write("answer");
  CHECK(take_all(link.peer) == "answer");
  CHECK_FALSE(link.transport->is_closing());
}

// asyncio tells it again; semantics page 6.1 has the deviation.
TEST_CASE_FIXTURE(NetLoop,
                  "eof_received: is told once, also after reading was paused and resumed") {
  const Link link = this->link();
  link.protocol->keep_open = true;
  kernel.put_eof(link.peer);
  run();
  link.transport->pause_reading();
  run();
  link.transport->resume_reading();
  run(1h);
  CHECK(link.protocol->trace == "made eof ");
  CHECK(busy_polls == 0);
}

TEST_CASE_FIXTURE(NetLoop, "eof_received: one that pauses or resumes reading brings nothing back") {
  const Link link = this->link();
  link.protocol->keep_open = true;
  link.protocol->on_eof = [&] {
    link.transport->pause_reading();
    link.transport->resume_reading();
  };
  kernel.put_eof(link.peer);
  run(1h);
  CHECK(link.protocol->trace == "made eof ");
  CHECK(busy_polls == 1);
}

TEST_CASE_FIXTURE(NetLoop, "eof_received: false with bytes still to be sent sends them first") {
  const Link link = narrow_link(3);
  link.transport->write("farewell");
  run();
  kernel.put_eof(link.peer);
  run();
  CHECK(link.protocol->trace == "made eof ");
  CHECK(take_all(link.peer) == "farewell");
  CHECK(link.protocol->trace == "made eof lost() ");
  CHECK(kernel.at_eof(link.peer));
}

// ---- Pausing

// CPython: test_selector_events.py SelectorSocketTransportTests.test_pause_resume_reading
TEST_CASE_FIXTURE(NetLoop,
                  "pause_reading, resume_reading: may be called twice, and closing ends both") {
  const Link link = this->link();
  Transport& transport = *link.transport;
  CHECK(transport.is_reading());
  transport.pause_reading();
  transport.pause_reading();
  CHECK_FALSE(transport.is_reading());
  transport.resume_reading();
  transport.resume_reading();
  CHECK(transport.is_reading());
  kernel.put(link.peer, "data");
  run();
  transport.close();
  CHECK_FALSE(transport.is_reading());
  transport.pause_reading();
  transport.resume_reading();
  CHECK_FALSE(transport.is_reading());
  run();
  CHECK(link.protocol->trace == "made data(data) lost() ");
}

TEST_CASE_FIXTURE(NetLoop, "is_reading: false at the end of the stream, whatever is resumed") {
  const Link link = this->link();
  link.protocol->keep_open = true;
  kernel.put_eof(link.peer);
  run();
  CHECK_FALSE(link.transport->is_reading());
  link.transport->pause_reading();
  link.transport->resume_reading();
  CHECK_FALSE(link.transport->is_reading());
}

TEST_CASE_FIXTURE(NetLoop,
                  "pause_reading: with a resume in the same pass it costs no system call") {
  const Link link = this->link();
  link.protocol->on_data = [&] {
    link.transport->pause_reading();
    link.transport->resume_reading();
  };
  calls.reset();
  for (int i = 0; i < 100; ++i) {
    kernel.put(link.peer, "data");
    run();
  }
  CHECK(link.protocol->received.size() == 400);
  CHECK(calls.count(Call::poller_set) == 0);
}

TEST_CASE_FIXTURE(NetLoop, "pause_reading: in data_received, the rest waits for the resume") {
  const Link link = this->link();
  link.protocol->on_data = [&] { link.transport->pause_reading(); };
  kernel.put(link.peer, std::string(300'000, 'x'));
  run(1h);
  CHECK(link.protocol->received.size() == 262144);
  CHECK(busy_polls == 1);
  link.transport->resume_reading();
  run();
  CHECK(link.protocol->received.size() == 300'000);
}

TEST_CASE_FIXTURE(NetLoop, "pause_reading: holds for an event that has already been reported") {
  const Link one = link();
  const Link other = link();
  one.protocol->on_data = [&] { other.transport->pause_reading(); };
  kernel.put(one.peer, "1");
  kernel.put(other.peer, "2");
  run();
  CHECK(other.protocol->trace == "made ");
  other.transport->resume_reading();
  run();
  CHECK(other.protocol->trace == "made data(2) ");
}

TEST_CASE_FIXTURE(NetLoop, "close: holds for an event that has already been reported") {
  for (const bool abort : {false, true}) {
    CAPTURE(abort);
    const Link one = link();
    const Link other = link();
    one.protocol->on_data = [&] { abort ? other.transport->abort() : other.transport->close(); };
    kernel.put(one.peer, "1");
    kernel.put(other.peer, "2");
    run();
    CHECK(other.protocol->trace == "made lost() ");
  }
}

// libuv c7c8e916b, h2o#603 and others: a hang-up that cannot be masked keeps the loop busy.
TEST_CASE_FIXTURE(
    NetLoop, "B08: a peer that closes or resets while reading is paused is heard of on resume") {
  for (const bool reset : {false, true}) {
    CAPTURE(reset);
    const Link link = this->link();
    link.transport->pause_reading();
    run();
    kernel.put(link.peer, "last");
    reset ? kernel.reset(link.peer) : kernel.put_eof(link.peer);
    run(1h);
    CHECK(link.protocol->trace == "made ");
    CHECK(busy_polls == 0);
    link.transport->resume_reading();
    run();
    CHECK(link.protocol->trace ==
          (reset ? "made data(last) lost([Errno 104] Connection reset by peer) "
                 : "made data(last) eof lost() "));
  }
}

// ---- Resets

// CPython: test_selector_events.py SelectorSocketTransportTests.test_read_ready_conn_reset
TEST_CASE_FIXTURE(
    NetLoop, "B54: a reset comes after the bytes before it, and is never an end of the stream") {
  const Link link = this->link();
  kernel.put(link.peer, "before");
  kernel.reset(link.peer);
  run();
  CHECK(link.protocol->trace == "made data(before) lost([Errno 104] Connection reset by peer) ");
  CHECK_THROWS_AS(std::rethrow_exception(link.protocol->error), ConnectionResetError);
}

// ---- Changing the protocol

// CPython: test_selector_events.py
// SelectorSocketTransportBufferedProtocolTests.test_proto_type_switch
TEST_CASE_FIXTURE(
    NetLoop,
    "set_protocol: the next callback goes to the new protocol, the old one hears no more") {
  const Link link = this->link();
  const auto next = Recorder::successor(*link.protocol);
  link.protocol->on_data = [&] { link.transport->set_protocol(next); };
  kernel.put(link.peer, std::string(300'000, 'x'));
  kernel.put_eof(link.peer);
  run();
  CHECK(link.protocol->trace == "made data[262144] ");
  CHECK(next->trace == "data[37856] eof lost() ");
}

TEST_CASE_FIXTURE(NetLoop, "set_protocol: null is refused") {
  const Link link = this->link();
  CHECK(error_of([&] { link.transport->set_protocol(nullptr); }) ==
        "ValueError: a protocol was expected, got None");
  CHECK(link.transport->get_protocol() == link.protocol);
}

// asio 5b4aa5ef9, asio#268: two events of one descriptor in one batch.
TEST_CASE_FIXTURE(NetLoop, "B04: an event that is reported twice delivers its bytes once") {
  const Link made = link();
  kernel.set_ready_filter([](std::vector<Ready>& found) {
    const std::vector<Ready> once = found;
    found.insert(found.end(), once.begin(), once.end());
  });
  kernel.put(made.peer, "data");
  run();
  CHECK(made.protocol->trace == "made data(data) ");
}

TEST_CASE_FIXTURE(NetLoop, "B04: an event that is reported twice spares the number's next owner") {
  const Link first = link();
  Link second;
  first.protocol->on_data = [&] { first.transport->abort(); };
  first.protocol->on_lost = [&] { loop.call_soon([&] { second = start(); }); };
  const int number = fd_of(first);
  kernel.set_ready_filter([](std::vector<Ready>& found) {
    const std::vector<Ready> once = found;
    found.insert(found.end(), once.begin(), once.end());
  });
  kernel.put(first.peer, "data");
  run();
  REQUIRE(second.transport);
  CHECK(fd_of(second) == number);
  CHECK(second.protocol->trace == "made ");
  CHECK(loop.stats().stale_events > 0);
}

TEST_SUITE_END();
