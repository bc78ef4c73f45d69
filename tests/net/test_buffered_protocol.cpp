// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cerrno>
#include <exception>
#include <memory>
#include <string>

#include <weir/net/connect.hpp>
#include <weir/reactor/task/run_until_complete.hpp>

#include <tests/net/net_loop.hpp>

using namespace weir;
using weir::test::BufferedRecorder;
using weir::test::error_of;
using weir::test::NetLoop;
using weir::test::Recorder;

namespace {

/// Derived from neither Protocol nor BufferedProtocol.
class Neither : public BaseProtocol {
 public:
  std::string repr() const override { return "<Neither>"; }
};

/// A loop with one connection, whose protocol says where the bytes go.
struct Buffered : NetLoop {
  Buffered() {
    Socket socket = connected_socket(peer);
    transport =
        detail::SocketTransport::start(loop, std::move(socket), protocol, Endpoint(), nullptr, {});
    run();
  }
  ~Buffered() { protocol->on_buffer = protocol->on_data = protocol->on_eof = nullptr; }

  std::shared_ptr<BufferedRecorder> protocol = std::make_shared<BufferedRecorder>();
  std::shared_ptr<Transport> transport;
  int peer = -1;
};

}  // namespace

TEST_SUITE_BEGIN("net/buffered_protocol");

// ---- Receiving

// CPython: test_buffered_proto.py test_buffered_proto_create_connection; test_selector_events.py
// SelectorSocketTransportBufferedProtocolTests.test_ctor, test_read_ready
TEST_CASE_FIXTURE(Buffered,
                  "BufferedProtocol: the bytes go to its memory, as many as it has room for") {
  kernel.put(peer, "0123456789abcdefgh");
  run();
  CHECK(protocol->trace == "made data(0123456789abcdef) data(gh) ");
  CHECK(protocol->received == "0123456789abcdefgh");
}

TEST_CASE_FIXTURE(Buffered, "BufferedProtocol: what it has not been told of is not touched") {
  kernel.put(peer, "xyz");
  run();
  CHECK(protocol->room == "xyz?????????????");
}

TEST_CASE_FIXTURE(Buffered, "BufferedProtocol: one buffer and one recv for every event") {
  const auto before = calls.count(Call::recv);
  kernel.put(peer, std::string(40, 'x'));
  run();
  CHECK(protocol->buffers == 3);
  CHECK(calls.count(Call::recv) == before + 3);
}

// CPython: test_selector_events.py
// SelectorSocketTransportBufferedProtocolTests.test_read_ready_tryagain, ..._interrupted
TEST_CASE_FIXTURE(Buffered,
                  "get_buffer: is asked again when there was nothing to receive after all") {
  SUBCASE("nothing was there") { kernel.script(Call::recv, {.error = EAGAIN}); }
  SUBCASE("a signal came") { kernel.script(Call::recv, {.error = EINTR}); }
  kernel.put(peer, "late");
  run();
  CHECK(protocol->buffers == 2);
  CHECK(protocol->trace == "made data(late) ");
}

TEST_CASE_FIXTURE(Buffered,
                  "get_buffer: what pauses, closes or hands over there receives nothing") {
  SUBCASE("pause_reading") {
    protocol->on_buffer = [&] { transport->pause_reading(); };
    kernel.put(peer, "data");
    run();
    CHECK(protocol->trace == "made ");
    protocol->on_buffer = nullptr;
    transport->resume_reading();
    run();
    CHECK(protocol->trace == "made data(data) ");
  }
  SUBCASE("close") {
    protocol->on_buffer = [&] { transport->close(); };
    kernel.put(peer, "data");
    run();
    CHECK(protocol->trace == "made lost() ");
  }
  SUBCASE("set_protocol") {
    const auto next = BufferedRecorder::successor(*protocol);
    protocol->on_buffer = [&] { transport->set_protocol(next); };
    kernel.put(peer, "data");
    run();
    CHECK(protocol->trace == "made ");
    CHECK(next->trace == "data(data) ");
  }
}

// ---- The end

// CPython: test_selector_events.py
// SelectorSocketTransportBufferedProtocolTests.test_read_ready_eof, ..._keep_open
TEST_CASE_FIXTURE(Buffered,
                  "BufferedProtocol: the end of the stream closes, unless it is kept open") {
  SUBCASE("closed") {
    kernel.put_eof(peer);
    run();
    CHECK(protocol->trace == "made eof lost() ");
  }
  SUBCASE("kept open") {
    protocol->keep_open = true;
    kernel.put_eof(peer);
    run();
    CHECK(protocol->trace == "made eof ");
    transport->write("answer");
    CHECK(take_all(peer) == "answer");
  }
}

namespace {

class Silent : public BufferedProtocol {
 public:
  std::span<char> get_buffer(std::ptrdiff_t) override { return room_; }
  void buffer_updated(std::size_t) override {}
  void connection_lost(const std::exception_ptr&) override { ++lost; }
  int lost = 0;

 private:
  char room_[8];
};

}  // namespace

TEST_CASE_FIXTURE(NetLoop,
                  "BufferedProtocol: without a word about it, the end of the stream closes") {
  int peer = -1;
  const auto protocol = std::make_shared<Silent>();
  detail::SocketTransport::start(loop, connected_socket(peer), protocol, Endpoint(), nullptr, {});
  run();
  kernel.put(peer, "x");
  kernel.put_eof(peer);
  run();
  CHECK(protocol->lost == 1);
}

TEST_CASE_FIXTURE(Buffered, "BufferedProtocol: hears of pauses and resumes as others do") {
  kernel.set_capacity(transport->get_extra_info("socket").socket()->fd(), 1);
  transport->set_write_buffer_limits(1, 0);
  transport->write("abcd");
  CHECK(take_all(peer) == "abcd");
  CHECK(protocol->trace == "made pause resume ");
}

// ---- Errors

// CPython: test_selector_events.py
// SelectorSocketTransportBufferedProtocolTests.test_get_buffer_error
TEST_CASE_FIXTURE(Buffered,
                  "get_buffer: what it throws is reported once, and ends the connection") {
  protocol->on_buffer = [] { throw RuntimeError("no memory"); };
  kernel.put(peer, "data");
  run();
  CHECK(protocol->trace == "made lost(no memory) ");
  CHECK(take_report() ==
        "Fatal error: protocol.get_buffer() call failed.: RuntimeError: no memory");
}

// CPython: test_selector_events.py
// SelectorSocketTransportBufferedProtocolTests.test_get_buffer_zerosized
TEST_CASE_FIXTURE(Buffered, "get_buffer: an empty buffer is fatal") {
  protocol->room.clear();
  kernel.put(peer, "data");
  run();
  CHECK(protocol->trace == "made lost(get_buffer() returned an empty buffer) ");
  CHECK_THROWS_AS(std::rethrow_exception(protocol->error), RuntimeError);
  CHECK(take_report() ==
        "Fatal error: protocol.get_buffer() call failed.: RuntimeError: "
        "get_buffer() returned an empty buffer");
}

TEST_CASE_FIXTURE(Buffered, "get_buffer: one that pauses, closes or hands over may have no room") {
  protocol->room.clear();
  kernel.put(peer, "data");
  SUBCASE("pause_reading") {
    protocol->on_buffer = [&] { transport->pause_reading(); };
    run();
    CHECK(protocol->trace == "made ");
    CHECK_FALSE(transport->is_closing());
  }
  SUBCASE("close: what was written is still sent") {
    kernel.set_capacity(transport->get_extra_info("socket").socket()->fd(), 4);
    protocol->on_buffer = [&] {
      transport->write("goodbye");
      transport->close();
    };
    CHECK(take_all(peer) == "goodbye");
    CHECK(protocol->trace == "made lost() ");
  }
  SUBCASE("set_protocol") {
    const auto next = BufferedRecorder::successor(*protocol);
    protocol->on_buffer = [&] { transport->set_protocol(next); };
    run();
    CHECK(next->trace == "data(data) ");
  }
}

// CPython: test_selector_events.py
// SelectorSocketTransportBufferedProtocolTests.test_buffer_updated_error
TEST_CASE_FIXTURE(Buffered,
                  "buffer_updated: what it throws is reported once, and ends the connection") {
  protocol->on_data = [] { throw RuntimeError("cannot parse"); };
  kernel.put(peer, "data");
  run();
  CHECK(protocol->trace == "made data(data) lost(cannot parse) ");
  CHECK(take_report() ==
        "Fatal error: protocol.buffer_updated() call failed.: RuntimeError: cannot parse");
}

// CPython: test_selector_events.py
// SelectorSocketTransportBufferedProtocolTests.test_read_eof_received_error
TEST_CASE_FIXTURE(Buffered,
                  "BufferedProtocol: what its eof_received throws is reported, and fatal") {
  protocol->on_eof = [] { throw RuntimeError("no"); };
  kernel.put_eof(peer);
  run();
  CHECK(protocol->trace == "made eof lost(no) ");
  CHECK(take_report() == "Fatal error: protocol.eof_received() call failed.: RuntimeError: no");
}

TEST_CASE_FIXTURE(Buffered,
                  "BufferedProtocol: an OSError of a callback ends the connection silently") {
  SUBCASE("get_buffer") {
    protocol->on_buffer = [] { throw_os_error(ENOMEM); };
  }
  SUBCASE("buffer_updated") {
    protocol->on_data = [] { throw_os_error(ENOMEM); };
  }
  kernel.put(peer, "data");
  run();
  CHECK(protocol->lost());
  CHECK(take_reports().empty());
}

TEST_CASE_FIXTURE(Buffered, "BufferedProtocol: a KeyboardInterrupt goes through") {
  SUBCASE("of get_buffer") {
    protocol->on_buffer = [] { throw KeyboardInterrupt(); };
  }
  SUBCASE("of buffer_updated") {
    protocol->on_data = [] { throw KeyboardInterrupt(); };
  }
  kernel.put(peer, "data");
  CHECK_THROWS_AS(run(), KeyboardInterrupt);
  CHECK_FALSE(transport->is_closing());
}

// CPython: test_selector_events.py
// SelectorSocketTransportBufferedProtocolTests.test_read_ready_conn_reset
TEST_CASE_FIXTURE(Buffered, "BufferedProtocol: a reset ends the connection with its error") {
  kernel.reset(peer);
  run();
  CHECK(protocol->trace == "made lost([Errno 104] Connection reset by peer) ");
}

// CPython: test_selector_events.py SelectorSocketTransportBufferedProtocolTests.test_read_ready_err
TEST_CASE_FIXTURE(Buffered, "BufferedProtocol: any other error of recv is fatal as well") {
  loop.set_debug(true);
  kernel.script(Call::recv, {.error = ETIMEDOUT});
  kernel.put(peer, "data");
  run();
  CHECK(protocol->trace == "made lost([Errno 110] Connection timed out) ");
  REQUIRE(logged.size() == 1);
  CHECK(logged[0].ends_with(
      ": Fatal read error on socket transport (TimeoutError: [Errno 110] Connection timed out)"));
}

// ---- Switching

// CPython: test_selector_events.py
// SelectorSocketTransportBufferedProtocolTests.test_proto_type_switch
TEST_CASE_FIXTURE(Buffered, "set_protocol: switches from BufferedProtocol to Protocol and back") {
  kernel.put(peer, "one");
  run();
  const auto plain = Recorder::successor(*protocol);
  transport->set_protocol(plain);
  CHECK(transport->get_protocol() == plain);
  kernel.put(peer, "two");
  run();
  const auto again = BufferedRecorder::successor(*plain);
  transport->set_protocol(again);
  kernel.put(peer, "three");
  run();
  transport->close();
  run();
  CHECK(protocol->trace == "made data(one) ");
  CHECK(plain->trace == "data(two) ");
  CHECK(again->trace == "data(three) lost() ");
}

TEST_CASE_FIXTURE(Buffered, "set_protocol: in a callback, the next bytes go to the other kind") {
  const auto plain = Recorder::successor(*protocol);
  protocol->on_data = [&] { transport->set_protocol(plain); };
  kernel.put(peer, "0123456789abcdefREST");
  run();
  CHECK(protocol->trace == "made data(0123456789abcdef) ");
  CHECK(plain->trace == "data(REST) ");
}

TEST_CASE_FIXTURE(Buffered, "set_protocol: one that receives in neither way is refused") {
  CHECK(error_of([&] { transport->set_protocol(std::make_shared<Neither>()); }) ==
        "ValueError: a Protocol or a BufferedProtocol was expected, got <Neither>");
  CHECK(transport->get_protocol() == protocol);
}

// ---- Connecting

namespace {

Coro<std::shared_ptr<BufferedRecorder>> connect_to(Port port) {
  const Connection<BufferedRecorder> made = co_await create_connection(
      [] { return std::make_shared<BufferedRecorder>(); }, "127.0.0.1", port);
  co_return made.protocol;
}

}  // namespace

// CPython: test_buffered_proto.py test_buffered_proto_create_connection
TEST_CASE_FIXTURE(NetLoop, "create_connection: the factory may make a BufferedProtocol") {
  const int listener = theirs(kernel.listen_on(7));
  const auto protocol = loop.run_until_complete(connect_to(7));
  const int peer = theirs(kernel.accept_from(listener));
  kernel.put(peer, "hello");
  kernel.put_eof(peer);
  run();
  CHECK(protocol->trace == "made data(hello) eof lost() ");
}

TEST_SUITE_END();
