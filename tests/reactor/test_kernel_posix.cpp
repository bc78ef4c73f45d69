// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/kernel.hpp>
#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/unique_fd.hpp>

using weir::Call;
using weir::CountingKernel;
using weir::FakeKernel;
using weir::IoResult;
using weir::Kernel;
using weir::UniqueFd;

namespace {

Kernel& posix = Kernel::posix();

std::pair<UniqueFd, UniqueFd> make_pair_of_sockets() {
  int fds[2];
  REQUIRE(posix.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  return {UniqueFd(posix, fds[0]), UniqueFd(posix, fds[1])};
}

UniqueFd make_tcp_socket() {
  const IoResult made = posix.socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(made.ok());
  return {posix, static_cast<int>(made.value)};
}

/// A listener on a free port of 127.0.0.1.
UniqueFd make_listener(sockaddr_in& address) {
  UniqueFd listener = make_tcp_socket();
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  std::uint32_t length = sizeof address;
  REQUIRE(posix.bind(listener.get(), any, length) == 0);
  REQUIRE(posix.listen(listener.get(), 8) == 0);
  REQUIRE(posix.getsockname(listener.get(), any, &length) == 0);
  return listener;
}

IoResult send_text(int fd, std::string text) {
  const iovec buffer{text.data(), text.size()};
  return posix.send(fd, {&buffer, 1});
}

bool is_born_right(int fd) {
  return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

extern "C" void handle_nothing(int) {}

}  // namespace

TEST_SUITE_BEGIN("reactor/kernel_posix");

TEST_CASE("posix: there is one, and it is always the same") {
  CHECK(&Kernel::posix() == &Kernel::posix());
}

TEST_CASE("now: never goes back") {
  const weir::TimePoint first = posix.now();
  CHECK(posix.now() >= first);
}

TEST_CASE("B23: every socket is non-blocking and close-on-exec from birth") {
  const UniqueFd socket = make_tcp_socket();
  CHECK(is_born_right(socket.get()));
  const auto [one, other] = make_pair_of_sockets();
  CHECK(is_born_right(one.get()));
  CHECK(is_born_right(other.get()));
}

TEST_CASE("accept: the connection is born right, and the address is the peer's") {
  sockaddr_in address{};
  const UniqueFd listener = make_listener(address);
  const UniqueFd client = make_tcp_socket();
  const int error =
      posix.connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  REQUIRE((error == 0 || error == EINPROGRESS));
  sockaddr_in peer{};
  std::uint32_t length = sizeof peer;
  const IoResult accepted =
      posix.accept(listener.get(), reinterpret_cast<sockaddr*>(&peer), &length);
  REQUIRE(accepted.ok());
  const UniqueFd server(posix, static_cast<int>(accepted.value));
  CHECK(is_born_right(server.get()));
  sockaddr_in local{};
  length = sizeof local;
  REQUIRE(posix.getsockname(client.get(), reinterpret_cast<sockaddr*>(&local), &length) == 0);
  CHECK(peer.sin_port == local.sin_port);
}

TEST_CASE("accept: nobody there would block") {
  sockaddr_in address{};
  const UniqueFd listener = make_listener(address);
  CHECK(posix.accept(listener.get(), nullptr, nullptr).would_block());
}

TEST_CASE("connect: a port without a listener is refused") {
  sockaddr_in address{};
  make_listener(address).reset();
  const UniqueFd client = make_tcp_socket();
  int error = posix.connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  if (error == EINPROGRESS) {
    std::uint32_t length = sizeof error;
    REQUIRE(posix.getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0);
  }
  CHECK(error == ECONNREFUSED);
}

TEST_CASE("recv: nothing there would block, the end of the stream is 0 bytes") {
  auto [one, other] = make_pair_of_sockets();
  char byte = 0;
  const iovec buffer{&byte, 1};
  CHECK(posix.recv(one.get(), {&buffer, 1}).would_block());
  other.reset();
  const IoResult end = posix.recv(one.get(), {&buffer, 1});
  CHECK(end.ok());
  CHECK(end.value == 0);
}

TEST_CASE("B56: a recv without a buffer is EINVAL, not the end of the stream") {
  const auto [one, other] = make_pair_of_sockets();
  REQUIRE(send_text(other.get(), "x").ok());
  CHECK(posix.recv(one.get(), {}).error == EINVAL);
}

TEST_CASE("recv: several buffers are filled one after the other") {
  const auto [one, other] = make_pair_of_sockets();
  REQUIRE(send_text(other.get(), "abcdefg").ok());
  std::array<char, 3> first{};
  std::array<char, 8> second{};
  const iovec buffers[] = {{first.data(), first.size()}, {second.data(), second.size()}};
  CHECK(posix.recv(one.get(), buffers).value == 7);
  CHECK(std::string(first.data(), 3) == "abc");
  CHECK(std::string(second.data(), 4) == "defg");
}

TEST_CASE("send: several buffers leave as one stream, in order") {
  const auto [one, other] = make_pair_of_sockets();
  std::string parts[] = {"he", "", "llo"};
  std::vector<iovec> buffers;
  for (std::string& part : parts) buffers.push_back({part.data(), part.size()});
  CHECK(posix.send(one.get(), buffers).value == 5);
  std::array<char, 16> got{};
  const iovec room{got.data(), got.size()};
  CHECK(posix.recv(other.get(), {&room, 1}).value == 5);
  CHECK(std::string(got.data()) == "hello");
}

TEST_CASE("B43: more buffers than the system takes are a short count, not an error") {
  const auto [one, other] = make_pair_of_sockets();
  char byte = 'x';
  const std::vector<iovec> buffers(Kernel::max_iovecs + 1, iovec{&byte, 1});
  CHECK(posix.send(one.get(), buffers).value == Kernel::max_iovecs);
}

// SIGPIPE would kill the test.
TEST_CASE("send: to a peer that is gone is EPIPE, with one buffer or several") {
  auto [one, other] = make_pair_of_sockets();
  other.reset();
  CHECK(send_text(one.get(), "x").error == EPIPE);
  char byte = 'x';
  const iovec two[] = {{&byte, 1}, {&byte, 1}};
  CHECK(posix.send(one.get(), two).error == EPIPE);
}

TEST_CASE("shutdown: the peer reads the end, and can still answer") {
  const auto [one, other] = make_pair_of_sockets();
  REQUIRE(posix.shutdown(one.get(), SHUT_WR) == 0);
  char byte = 0;
  const iovec buffer{&byte, 1};
  const IoResult end = posix.recv(other.get(), {&buffer, 1});
  CHECK(end.ok());
  CHECK(end.value == 0);
  CHECK(send_text(other.get(), "x").value == 1);
  CHECK(posix.recv(one.get(), {&buffer, 1}).value == 1);
}

TEST_CASE("setsockopt: what was set is what getsockopt says") {
  const UniqueFd socket = make_tcp_socket();
  int value = 1;
  std::uint32_t length = sizeof value;
  REQUIRE(posix.setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &value, length) == 0);
  value = 0;
  REQUIRE(posix.getsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &value, &length) == 0);
  CHECK(value != 0);
}

TEST_CASE("set_nonblocking: a descriptor made elsewhere no longer blocks, and keeps its flags") {
  const UniqueFd file(posix, ::open("/dev/null", O_RDWR | O_APPEND | O_CLOEXEC));
  REQUIRE(posix.set_nonblocking(file.get()) == 0);
  const int flags = ::fcntl(file.get(), F_GETFL);
  CHECK((flags & (O_NONBLOCK | O_APPEND)) == (O_NONBLOCK | O_APPEND));
  CHECK(posix.set_nonblocking(-1) == EBADF);
}

TEST_CASE("IoResult: errors are told by number, and none of them throws") {
  CHECK(posix.socket(-1, SOCK_STREAM, 0).error == EAFNOSUPPORT);
  CHECK(posix.close(-1) == EBADF);
  CHECK(posix.listen(-1, 1) == EBADF);
  CHECK(send_text(-1, "x").error == EBADF);
  const UniqueFd socket = make_tcp_socket();
  std::uint32_t length = 0;
  CHECK(posix.getpeername(socket.get(), nullptr, &length) == ENOTCONN);
}

TEST_CASE("getaddrinfo: a numeric host gives its address, which is freed again") {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int system_error = -1;
  REQUIRE(posix.getaddrinfo("127.0.0.1", "80", &hints, &found, &system_error) == 0);
  sockaddr_in address{};
  std::memcpy(&address, found->ai_addr, sizeof address);
  CHECK(address.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
  CHECK(ntohs(address.sin_port) == 80);
  CHECK(system_error == 0);
  posix.freeaddrinfo(found);
}

TEST_CASE("getaddrinfo: a failure is the resolver's number") {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  int system_error = -1;
  CHECK(posix.getaddrinfo("not a number", nullptr, &hints, &found, &system_error) == EAI_NONAME);
  CHECK(system_error == 0);
}

TEST_CASE("pread: reads at the offset, and nothing behind the end") {
  char name[] = "/tmp/weir-pread-XXXXXX";
  const UniqueFd file(posix, ::mkstemp(name));
  REQUIRE(posix.unlink(name) == 0);
  REQUIRE(::write(file.get(), "abcdef", 6) == 6);
  std::array<char, 4> room{};
  CHECK(posix.pread(file.get(), room, 2).value == 4);
  CHECK(std::string(room.data(), room.size()) == "cdef");
  CHECK(posix.pread(file.get(), room, 6).value == 0);
  CHECK(posix.pread(-1, room, 0).error == EBADF);
}

TEST_CASE("signal_action: the action is installed, and the old one comes back") {
  struct sigaction action{};
  action.sa_handler = handle_nothing;
  struct sigaction before{};
  struct sigaction seen{};
  REQUIRE(posix.signal_action(SIGUSR2, &action, &before) == 0);
  REQUIRE(posix.signal_action(SIGUSR2, &before, &seen) == 0);
  CHECK((seen.sa_handler == handle_nothing));
  CHECK(posix.signal_action(SIGKILL, &action, nullptr) == EINVAL);
}

TEST_CASE("make_executor: runs what it is given") {
  std::latch ran(1);
  const auto executor = posix.make_executor(1);
  executor->submit([&ran] { ran.count_down(); });
  ran.wait();
  CHECK(ran.try_wait());
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("reactor/unique_fd");

TEST_CASE("UniqueFd: closes what it owns, at the end of its life") {
  int number = -1;
  {
    const UniqueFd socket = make_tcp_socket();
    number = socket.get();
  }
  CHECK(posix.close(number) == EBADF);
}

TEST_CASE("UniqueFd: what was moved from or released is not closed") {
  UniqueFd first = make_tcp_socket();
  UniqueFd second = std::move(first);
  first.reset();  // NOLINT(bugprone-use-after-move)
  CHECK(is_born_right(second.get()));
  const int number = second.release();
  CHECK_FALSE(static_cast<bool>(second));
  second.reset();
  CHECK(posix.close(number) == 0);
}

TEST_CASE("UniqueFd: assignment closes what was there before") {
  UniqueFd first = make_tcp_socket();
  UniqueFd second = make_tcp_socket();
  const int number = first.get();
  first = std::move(second);
  CHECK(::fcntl(number, F_GETFD) == -1);
  CHECK(is_born_right(first.get()));
}

// libuv dee86dd5b, fc42885d0: the number that the second close() hits may be another thread's.
TEST_CASE("B19: an interrupted close() is not tried again") {
  FakeKernel fake;
  CountingKernel kernel(fake);
  int fds[2];
  REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  fake.script(Call::close, {.error = EINTR});
  UniqueFd first(kernel, fds[0]);
  UniqueFd second(kernel, fds[1]);
  first.reset();
  CHECK_FALSE(static_cast<bool>(first));
  CHECK(kernel.count(Call::close) == 1);
  CHECK(fake.misuses().empty());
}

TEST_SUITE_END();
