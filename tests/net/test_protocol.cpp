// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include <weir/net/protocol.hpp>

#include <tests/net/net_loop.hpp>

using namespace weir;
using weir::test::NetLoop;

namespace {

/// Counts what connection_lost is told; leaves everything else to the base class.
class Bare : public Protocol {
 public:
  void connection_lost(const std::exception_ptr& error) override {
    Protocol::connection_lost(error);
    ++lost;
  }
  int lost = 0;
};

}  // namespace

TEST_SUITE_BEGIN("net/protocol");

TEST_CASE_FIXTURE(NetLoop, "Protocol: one that overrides nothing survives a whole connection") {
  int peer = -1;
  const auto protocol = std::make_shared<Bare>();
  const std::shared_ptr<Transport> transport = detail::SocketTransport::start(
      loop, connected_socket(peer), protocol, Endpoint(), nullptr, {});
  transport->set_write_buffer_limits(0);
  run();
  kernel.set_capacity(transport->get_extra_info("socket").socket()->fd(), 1);
  transport->write("xy");  // pause_writing, then resume_writing.
  CHECK(take_all(peer) == "xy");
  kernel.put(peer, "data");
  run();
  CHECK(protocol->lost == 0);
  transport->abort();
  run();
  CHECK(protocol->lost == 1);
}

// CPython: protocols.py Protocol.eof_received returns None
TEST_CASE_FIXTURE(
    NetLoop, "Protocol: without a word about it, the end of the stream closes the connection") {
  int peer = -1;
  const auto protocol = std::make_shared<Bare>();
  detail::SocketTransport::start(loop, connected_socket(peer), protocol, Endpoint(), nullptr, {});
  run();
  kernel.put_eof(peer);
  run();
  CHECK(protocol->lost == 1);
  CHECK(kernel.at_eof(peer));
}

TEST_SUITE_END();
