// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>

#include <tests/net/net_loop.hpp>

using namespace weir;
using weir::test::NetLoop;
using weir::test::Recorder;

namespace {

std::string repr_of(Transport& transport, const char* name) {
  const auto endpoint = transport.get_extra_info(name).endpoint();
  return endpoint ? endpoint->repr() : "none";
}

}  // namespace

TEST_SUITE_BEGIN("net/extra_info");

TEST_CASE_FIXTURE(NetLoop, "get_extra_info: sockname and peername are the two ends") {
  const Link link = this->link();
  CHECK(repr_of(*link.transport, "peername") == "('127.0.0.1', 4000)");
  CHECK(repr_of(*link.transport, "sockname") == "('127.0.0.1', 49152)");
  CHECK_FALSE(link.transport->get_extra_info("sockname").socket());
}

// CPython: test_transports.py test_get_extra_info
TEST_CASE_FIXTURE(NetLoop, "get_extra_info: an unknown name gives nothing") {
  const Link link = this->link();
  for (const char* name : {"", "Socket", "sslcontext", "pipe"}) {
    CAPTURE(name);
    const ExtraInfo info = link.transport->get_extra_info(name);
    CHECK_FALSE(static_cast<bool>(info));
    CHECK_FALSE(info.endpoint());
    CHECK_FALSE(info.socket());
  }
}

TEST_CASE_FIXTURE(NetLoop,
                  "get_extra_info: the names stay after the end, the socket is then closed") {
  const Link link = this->link();
  const TransportSocket socket = *link.transport->get_extra_info("socket").socket();
  link.transport->close();
  run();
  CHECK(repr_of(*link.transport, "peername") == "('127.0.0.1', 4000)");
  CHECK(repr_of(*link.transport, "sockname") == "('127.0.0.1', 49152)");
  CHECK(link.transport->get_extra_info("socket").socket()->fd() == -1);
  CHECK(socket.fd() == -1);
  CHECK(socket.getsockname() == Endpoint());
  CHECK(socket.getpeername() == Endpoint());
  CHECK(socket.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1) == EBADF);
  CHECK(socket.getsockopt(SOL_SOCKET, SO_KEEPALIVE).error == EBADF);
  CHECK(socket.shutdown(SHUT_RDWR) == EBADF);
}

TEST_CASE_FIXTURE(NetLoop, "TransportSocket: looks at the socket and sets its options") {
  const Link link = this->link();
  const TransportSocket socket = *link.transport->get_extra_info("socket").socket();
  CHECK(socket.getpeername().repr() == "('127.0.0.1', 4000)");
  CHECK(socket.getsockname().port() == 49152);
  CHECK(socket.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1) == 0);
  CHECK(socket.getsockopt(SOL_SOCKET, SO_KEEPALIVE).value == 1);
  CHECK(socket.shutdown(SHUT_WR) == 0);
  CHECK(kernel.at_eof(link.peer));
}

TEST_CASE("TransportSocket: one of nothing is closed") {
  const TransportSocket none;
  CHECK(none.fd() == -1);
  CHECK(none.shutdown(SHUT_RD) == EBADF);
  CHECK_FALSE(static_cast<bool>(ExtraInfo()));
}

TEST_CASE_FIXTURE(NetLoop, "get_extra_info: a name that the system does not give is none") {
  int peer = -1;
  Socket socket = connected_socket(peer);
  kernel.script(Call::getpeername, {.error = ENOTCONN});
  kernel.script(Call::getsockname, {.error = ENOBUFS});
  const auto transport = detail::SocketTransport::start(
      loop, std::move(socket), std::make_shared<Recorder>(), Endpoint(), nullptr, {});
  CHECK_FALSE(static_cast<bool>(transport->get_extra_info("peername")));
  CHECK_FALSE(static_cast<bool>(transport->get_extra_info("sockname")));
}

TEST_CASE_FIXTURE(NetLoop,
                  "get_extra_info: the peer's name that accept gave is not asked for again") {
  int peer = -1;
  Socket socket = connected_socket(peer);
  calls.reset();
  const auto transport =
      detail::SocketTransport::start(loop, std::move(socket), std::make_shared<Recorder>(),
                                     *Endpoint::parse("192.0.2.1", 7), nullptr, {});
  CHECK(repr_of(*transport, "peername") == "('192.0.2.1', 7)");
  CHECK(calls.count(Call::getpeername) == 0);
}

TEST_CASE_FIXTURE(NetLoop, "get_extra_info: an unnamed unix socket has an empty name") {
  int fds[2];
  REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  theirs(fds[1]);
  const auto transport = detail::SocketTransport::start(
      loop, Socket(calls, fds[0]), std::make_shared<Recorder>(), Endpoint(), nullptr, {});
  CHECK(repr_of(*transport, "sockname") == "''");
  CHECK(repr_of(*transport, "peername") == "''");
}

TEST_CASE_FIXTURE(NetLoop, "repr: names descriptor, state and peer") {
  const Link link = narrow_link(1);
  const std::string fd = std::to_string(fd_of(link));
  CHECK(link.transport->repr() == "<SocketTransport fd=" + fd + " peer=('127.0.0.1', 4000)>");
  in_loop([&] {
    link.transport->write("ab");
    link.transport->close();
  });
  CHECK(link.transport->repr() ==
        "<SocketTransport fd=" + fd + " closing peer=('127.0.0.1', 4000)>");
  link.transport->abort();
  run();
  CHECK(link.transport->repr() == "<SocketTransport closed peer=('127.0.0.1', 4000)>");
}

// CPython: test_selector_events.py TestSelectorUtils.test_set_nodelay
TEST_CASE_FIXTURE(NetLoop,
                  "start: TCP_NODELAY is set on sockets that say they are TCP, and only there") {
  const Link tcp = link();
  CHECK(tcp.transport->get_extra_info("socket")
            .socket()
            ->getsockopt(IPPROTO_TCP, TCP_NODELAY)
            .value == 1);
  theirs(kernel.listen_on(5000));
  const auto transport =
      detail::SocketTransport::start(loop, Socket(calls, kernel.dial(5000)),
                                     std::make_shared<Recorder>(), Endpoint(), nullptr, {});
  CHECK(transport->get_extra_info("socket").socket()->getsockopt(IPPROTO_TCP, TCP_NODELAY).value ==
        0);
}

TEST_CASE_FIXTURE(NetLoop, "start: a socket that refuses TCP_NODELAY works all the same") {
  kernel.fail_always(Call::setsockopt, ENOPROTOOPT);
  const Link link = this->link();
  kernel.put(link.peer, "data");
  run();
  CHECK(link.protocol->trace == "made data(data) ");
}

TEST_SUITE_END();
