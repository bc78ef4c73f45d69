// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include <weir/net/testing/checked_protocol.hpp>

#include <tests/net/net_loop.hpp>

using namespace weir;
using weir::test::BufferedRecorder;
using weir::test::NetLoop;
using weir::test::Recorder;
using weir::testing::CheckedBufferedProtocol;
using weir::testing::CheckedProtocol;
using weir::testing::GrammarError;

namespace {

class Deaf : public Protocol {
 public:
  std::string repr() const override { return "<Deaf>"; }
};

class DeafBuffered : public BufferedProtocol {
 public:
  std::span<char> get_buffer(std::ptrdiff_t) override { return room_; }
  void buffer_updated(std::size_t) override {}
  std::string repr() const override { return "<DeafBuffered>"; }

 private:
  char room_[4];
};

struct Checking : NetLoop {
  /// A whole connection, with everything that can happen on it.
  void converse(const std::shared_ptr<BaseProtocol>& protocol) {
    int peer = -1;
    const std::shared_ptr<Transport> transport = detail::SocketTransport::start(
        loop, connected_socket(peer), protocol, Endpoint(), nullptr, {});
    run();
    kernel.put(peer, "data");
    run();
    kernel.set_capacity(transport->get_extra_info("socket").socket()->fd(), 1);
    transport->set_write_buffer_limits(1, 0);
    transport->write("abcd");
    CHECK(take_all(peer) == "abcd");
    kernel.put_eof(peer);
    run();
  }
};

}  // namespace

TEST_SUITE_BEGIN("net/testing/checked_protocol");

TEST_CASE_FIXTURE(Checking, "CheckedProtocol: hands every call on, and finds weir's order right") {
  const auto inner = std::make_shared<Recorder>();
  const auto checked = std::make_shared<CheckedProtocol>(inner);
  converse(checked);
  CHECK(inner->trace == "made data(data) pause resume eof lost() ");
  CHECK_NOTHROW(checked->grammar().check());
}

TEST_CASE_FIXTURE(Checking,
                  "CheckedBufferedProtocol: hands every call on, and finds weir's order right") {
  const auto inner = std::make_shared<BufferedRecorder>();
  const auto checked = std::make_shared<CheckedBufferedProtocol>(inner);
  converse(checked);
  CHECK(inner->trace == "made data(data) pause resume eof lost() ");
  CHECK_NOTHROW(checked->grammar().check());
}

TEST_CASE_FIXTURE(Checking, "CheckedProtocol: what its protocol answers and throws goes on") {
  const auto inner = std::make_shared<Recorder>();
  inner->keep_open = true;
  inner->on_data = [] { throw RuntimeError("no"); };
  CheckedProtocol checked(inner);
  checked.connection_made(nullptr);
  CHECK_THROWS_WITH_AS(checked.data_received("x"), "no", RuntimeError);
  CHECK(checked.eof_received());
  checked.connection_lost(nullptr);
  CHECK_NOTHROW(checked.grammar().check());
}

TEST_CASE("CheckedProtocol: a transport that calls out of order is found out") {
  CheckedProtocol checked(std::make_shared<Deaf>());
  checked.connection_made(nullptr);
  checked.connection_lost(nullptr);
  checked.data_received("late");
  CHECK_THROWS_WITH_AS(
      checked.grammar().check(),
      "data_received after connection_lost; calls so far: connection_made connection_lost ",
      GrammarError);
}

TEST_CASE("CheckedBufferedProtocol: more bytes than the buffer has are found out") {
  CheckedBufferedProtocol checked(std::make_shared<DeafBuffered>());
  checked.connection_made(nullptr);
  CHECK(checked.get_buffer(-1).size() == 4);
  checked.buffer_updated(5);
  CHECK_THROWS_AS(checked.grammar().check(), GrammarError);
}

TEST_CASE("CheckedProtocol, CheckedBufferedProtocol: are called what their protocols are called") {
  CHECK(CheckedProtocol(std::make_shared<Deaf>()).repr() == "<Deaf>");
  CHECK(CheckedBufferedProtocol(std::make_shared<DeafBuffered>()).repr() == "<DeafBuffered>");
}

TEST_SUITE_END();
