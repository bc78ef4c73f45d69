// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <weir/net/socket.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

using weir::Call;
using weir::CountingKernel;
using weir::Endpoint;
using weir::FakeKernel;
using weir::IoResult;
using weir::Kernel;
using weir::Socket;

namespace {

Socket open_tcp(Kernel& kernel) {
  int error = -1;
  Socket socket = Socket::open(kernel, AF_INET, SOCK_STREAM, IPPROTO_TCP, error);
  REQUIRE(error == 0);
  return socket;
}

bool blocks(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

}  // namespace

TEST_SUITE_BEGIN("net/socket");

TEST_CASE("open: remembers what was asked for") {
  FakeKernel kernel;
  const Socket socket = open_tcp(kernel);
  CHECK(socket.valid());
  CHECK(socket.fd() == 3);
  CHECK(socket.family() == AF_INET);
  CHECK(socket.type() == SOCK_STREAM);
  CHECK(socket.protocol() == IPPROTO_TCP);
  CHECK(socket.repr() == "<Socket fd=3, family=2, type=1, proto=6>");
}

TEST_CASE("open: says why there is none") {
  FakeKernel kernel;
  kernel.script(Call::socket, {.error = EMFILE});
  int error = 0;
  const Socket socket = Socket::open(kernel, AF_INET, SOCK_STREAM, 0, error);
  CHECK(error == EMFILE);
  CHECK_FALSE(socket.valid());
  CHECK(socket.fd() == -1);
}

TEST_CASE("Socket: an adopted descriptor is asked for its kind, its protocol counts as 0") {
  Kernel& posix = Kernel::posix();
  int fds[2];
  REQUIRE(posix.socketpair(AF_UNIX, SOCK_DGRAM, fds) == 0);
  const Socket one(posix, fds[0]);
  const Socket other(posix, fds[1], 17);
  CHECK(one.family() == AF_UNIX);
  CHECK(one.type() == SOCK_DGRAM);
  CHECK(one.protocol() == 0);
  CHECK(other.protocol() == 17);
}

TEST_CASE("Socket: an adopted descriptor that blocks does so no longer") {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  REQUIRE(blocks(fds[0]));
  const Socket one(Kernel::posix(), fds[0]);
  const Socket other(Kernel::posix(), fds[1]);
  CHECK_FALSE(blocks(fds[0]));
  CHECK_FALSE(blocks(fds[1]));
}

// O_NONBLOCK belongs to the open file, which other processes may share: a terminal, say.
TEST_CASE("Socket: what is no socket has no type, and stays as blocking as it was") {
  int fds[2];
  REQUIRE(::pipe(fds) == 0);
  const Socket reader(Kernel::posix(), fds[0]);
  CHECK(reader.type() == 0);
  CHECK(blocks(fds[0]));
  CHECK(::close(fds[1]) == 0);
}

TEST_CASE("Socket: closes what it owns once, however often it is moved and closed") {
  FakeKernel fake;
  CountingKernel kernel(fake);
  {
    Socket first = open_tcp(kernel);
    Socket second = std::move(first);
    first = std::move(second);
    first.close();
    first.close();
    CHECK(first.fd() == -1);
    const Socket third = open_tcp(kernel);
    CHECK(third.valid());
  }
  CHECK(kernel.count(Call::close) == 2);
  CHECK(fake.open_fds() == std::vector<int>());
  CHECK(fake.misuses() == std::vector<std::string>());
}

TEST_CASE("accept: gives a socket of the listener's kind, and the peer's address") {
  FakeKernel kernel;
  Socket listener = open_tcp(kernel);
  REQUIRE(listener.bind(*Endpoint::parse("127.0.0.1", 80)) == 0);
  REQUIRE(listener.listen(1) == 0);
  Socket client = open_tcp(kernel);
  REQUIRE(client.connect(*Endpoint::parse("127.0.0.1", 80)) == 0);
  Endpoint peer;
  int error = -1;
  Socket accepted = listener.accept(peer, error);
  CHECK(error == 0);
  CHECK(peer == client.local_endpoint());
  CHECK(accepted.remote_endpoint() == peer);
  CHECK(accepted.local_endpoint().repr() == "('127.0.0.1', 80)");
  CHECK(accepted.family() == AF_INET);
  CHECK(accepted.type() == SOCK_STREAM);
  CHECK(accepted.protocol() == IPPROTO_TCP);
}

TEST_CASE("accept: without a connection it gives an invalid socket, and says why") {
  FakeKernel kernel;
  Socket listener = open_tcp(kernel);
  REQUIRE(listener.listen(1) == 0);
  Endpoint peer;
  int error = 0;
  CHECK_FALSE(listener.accept(peer, error).valid());
  CHECK(error == EAGAIN);
  CHECK(peer == Endpoint());
}

TEST_CASE("local_endpoint, remote_endpoint: none when the kernel gives none") {
  FakeKernel kernel;
  Socket socket = open_tcp(kernel);
  kernel.script(Call::getsockname, {.error = ENOBUFS});
  CHECK(socket.local_endpoint().family() == AF_UNSPEC);
  CHECK(socket.remote_endpoint().family() == AF_UNSPEC);  // Not connected.
}

TEST_CASE("get_option: gives what set_option set, or the error") {
  FakeKernel kernel;
  Socket socket = open_tcp(kernel);
  CHECK(socket.set_option(SOL_SOCKET, SO_KEEPALIVE, 1) == 0);
  CHECK(socket.get_option(SOL_SOCKET, SO_KEEPALIVE).value == 1);
  kernel.script(Call::setsockopt, {.error = ENOPROTOOPT});
  kernel.script(Call::getsockopt, {.error = ENOPROTOOPT});
  CHECK(socket.set_option(SOL_SOCKET, SO_KEEPALIVE, 0) == ENOPROTOOPT);
  CHECK(socket.get_option(SOL_SOCKET, SO_KEEPALIVE).error == ENOPROTOOPT);
}

TEST_CASE("send, recv: several pieces leave in order, and errors are results") {
  FakeKernel kernel;
  int fds[2];
  REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  Socket one(kernel, fds[0]);
  Socket other(kernel, fds[1]);
  std::string hello = "hello ";
  std::string world = "world";
  const iovec pieces[] = {{hello.data(), hello.size()}, {world.data(), world.size()}};
  CHECK(one.send(pieces).value == 11);
  char room[64];
  CHECK(other.recv(room).value == 11);
  CHECK(std::string(room, 11) == "hello world");
  CHECK(other.recv(room).would_block());
  CHECK(one.shutdown(SHUT_WR) == 0);
  CHECK(other.recv(room).ok());
  CHECK(one.send(pieces).error == EPIPE);
}

TEST_SUITE_END();
