// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

using namespace std::chrono_literals;
using weir::Call;
using weir::FakeKernel;
using weir::Interest;
using weir::IoResult;
using weir::Kernel;
using weir::Ready;

namespace {

struct Pair {
  int ours = -1;
  int theirs = -1;
};

Pair connected(Kernel& kernel) {
  int fds[2];
  REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  return {fds[0], fds[1]};
}

int open_socket(FakeKernel& kernel, int family = AF_INET) {
  const IoResult made = kernel.socket(family, SOCK_STREAM, 0);
  REQUIRE(made.ok());
  return static_cast<int>(made.value);
}

IoResult send_text(Kernel& kernel, int fd, std::string text) {
  const iovec buffer{text.data(), text.size()};
  return kernel.send(fd, {&buffer, 1});
}

/// What recv() said, and the bytes: "3:abc", "0:" at the end of the stream, or "errno 11".
std::string recv_text(Kernel& kernel, int fd, std::size_t room = 64) {
  std::string bytes(room, '\0');
  const iovec buffer{bytes.data(), bytes.size()};
  const IoResult got = kernel.recv(fd, {&buffer, 1});
  if (!got.ok()) return "errno " + std::to_string(got.error);
  return std::to_string(got.value) + ":" + bytes.substr(0, static_cast<std::size_t>(got.value));
}

std::string said(int error) { return "errno " + std::to_string(error); }

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int bind_to(FakeKernel& kernel, int fd, sockaddr_in address) {
  return kernel.bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

int connect_to(FakeKernel& kernel, int fd, std::uint16_t port) {
  const sockaddr_in address = loopback(port);
  return kernel.connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int int_option(FakeKernel& kernel, int fd, int level, int option) {
  int value = -1;
  std::uint32_t length = sizeof value;
  REQUIRE(kernel.getsockopt(fd, level, option, &value, &length) == 0);
  return value;
}

std::vector<int> ready_fds(weir::Poller& poller) {
  std::vector<Ready> ready;
  REQUIRE(poller.wait(0ns, ready) == 0);
  std::vector<int> fds;
  for (const Ready& one : ready) fds.push_back(one.fd);
  return fds;
}

/// The numeric addresses that getaddrinfo() finds, or its error.
std::string resolve(FakeKernel& kernel, const char* host, const char* service,
                    addrinfo hints = {}) {
  addrinfo* list = nullptr;
  int system_error = 0;
  const int code = kernel.getaddrinfo(host, service, &hints, &list, &system_error);
  if (code != 0) return "code " + std::to_string(code) + " errno " + std::to_string(system_error);
  std::string text;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    char name[NI_MAXHOST];
    char port[NI_MAXSERV];
    REQUIRE(::getnameinfo(one->ai_addr, one->ai_addrlen, name, sizeof name, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV) == 0);
    text += std::string(text.empty() ? "" : " ") + name + "/" + port;
  }
  kernel.freeaddrinfo(list);
  return text;
}

int signals_seen = 0;
extern "C" void note_signal(int number) { signals_seen = number; }
extern "C" void note_signal_with_info(int number, siginfo_t* info, void*) {
  signals_seen = 1000 + number + info->si_signo;
}

}  // namespace

TEST_SUITE_BEGIN("reactor/fake_kernel");

// --- Time ---

TEST_CASE("FakeKernel: the clock stands still until it is moved") {
  FakeKernel kernel;
  CHECK(kernel.now() == FakeKernel::start);
  kernel.advance(90min);
  CHECK(kernel.now() == FakeKernel::start + 90min);
  kernel.advance(-1h);
  CHECK(kernel.now() == FakeKernel::start + 30min);
}

TEST_CASE("FakeKernel: a wait with nothing ready jumps to its time-out, to the nanosecond") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  std::vector<Ready> ready;
  CHECK(poller->wait(1h + 1ns, ready) == 0);
  CHECK(kernel.now() == FakeKernel::start + 1h + 1ns);
}

TEST_CASE("FakeKernel: a wait with something ready takes no time") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  const Pair pair = connected(kernel);
  REQUIRE(poller->set(pair.ours, 1, Interest::write) == 0);
  std::vector<Ready> ready;
  CHECK(poller->wait(1h, ready) == 0);
  CHECK(kernel.now() == FakeKernel::start);
}

TEST_CASE("FakeKernel: a wait that nothing could end is EDEADLK") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  const Pair pair = connected(kernel);
  REQUIRE(poller->set(pair.ours, 1, Interest::read) == 0);
  std::vector<Ready> ready;
  CHECK(poller->wait(std::nullopt, ready) == EDEADLK);
  std::thread([&poller] { poller->wake(); }).join();
  CHECK(poller->wait(std::nullopt, ready) == 0);
  CHECK(poller->wait(std::nullopt, ready) == EDEADLK);
}

// --- Connections ---

// The same steps on Linux and in memory: what they say must be the same, word for word.
TEST_CASE("FakeKernel: a stream ends and breaks as the real one does") {
  const auto story = [](Kernel& kernel) {
    std::string log;
    const auto note = [&log](const std::string& text) { log += text + "\n"; };
    Pair pair = connected(kernel);
    note(recv_text(kernel, pair.ours));
    note(std::to_string(send_text(kernel, pair.theirs, "abcdef").value));
    note(recv_text(kernel, pair.ours, 4));
    note(std::to_string(kernel.shutdown(pair.theirs, SHUT_WR)));
    note(said(send_text(kernel, pair.theirs, "x").error));
    note(recv_text(kernel, pair.ours));
    note(recv_text(kernel, pair.ours));
    note(recv_text(kernel, pair.theirs));
    note(std::to_string(send_text(kernel, pair.ours, "answer").value));
    note(recv_text(kernel, pair.theirs));
    note(std::to_string(kernel.close(pair.theirs)));
    note(said(send_text(kernel, pair.ours, "x").error));
    note(recv_text(kernel, pair.ours));
    note(std::to_string(kernel.close(pair.ours)));

    pair = connected(kernel);
    note(std::to_string(kernel.shutdown(pair.ours, SHUT_RD)));
    note(recv_text(kernel, pair.ours));
    note(std::to_string(send_text(kernel, pair.ours, "x").value));
    note(std::to_string(kernel.close(pair.ours)));
    note(recv_text(kernel, pair.theirs));
    note(recv_text(kernel, pair.theirs));
    note(std::to_string(kernel.close(pair.theirs)));

    pair = connected(kernel);  // The peer closes with our bytes unread: a reset, after its own.
    send_text(kernel, pair.ours, "unread");
    send_text(kernel, pair.theirs, "last words");
    note(std::to_string(kernel.close(pair.theirs)));
    note(recv_text(kernel, pair.ours));
    note(recv_text(kernel, pair.ours));
    note(recv_text(kernel, pair.ours));
    note(said(send_text(kernel, pair.ours, "x").error));
    note(std::to_string(kernel.close(pair.ours)));

    const IoResult fresh = kernel.socket(AF_UNIX, SOCK_STREAM, 0);
    std::uint32_t none = 0;
    note(said(kernel.getpeername(static_cast<int>(fresh.value), nullptr, &none)));
    note(said(send_text(kernel, static_cast<int>(fresh.value), "x").error));
    note(std::to_string(kernel.close(static_cast<int>(fresh.value))));
    return log;
  };
  FakeKernel kernel;
  CHECK(story(kernel) == story(Kernel::posix()));
  CHECK(kernel.misuses().empty());
}

TEST_CASE("FakeKernel: a client finds a listener by its address, and bytes go both ways") {
  FakeKernel kernel;
  const int listener = open_socket(kernel);
  REQUIRE(bind_to(kernel, listener, loopback(8888)) == 0);
  REQUIRE(kernel.listen(listener, 8) == 0);
  const int client = open_socket(kernel);
  CHECK(connect_to(kernel, client, 8888) == 0);
  const IoResult server = kernel.accept(listener, nullptr, nullptr);
  REQUIRE(server.ok());
  send_text(kernel, client, "question");
  CHECK(recv_text(kernel, static_cast<int>(server.value)) == "8:question");
  send_text(kernel, static_cast<int>(server.value), "answer");
  CHECK(recv_text(kernel, client) == "6:answer");
}

TEST_CASE("FakeKernel: a listener on any host is found at every host") {
  FakeKernel kernel;
  const int listener = open_socket(kernel);
  sockaddr_in any = loopback(8888);
  any.sin_addr.s_addr = htonl(INADDR_ANY);
  REQUIRE(bind_to(kernel, listener, any) == 0);
  REQUIRE(kernel.listen(listener, 8) == 0);
  CHECK(connect_to(kernel, open_socket(kernel), 8888) == 0);
  CHECK(connect_to(kernel, open_socket(kernel), 8889) == ECONNREFUSED);
}

TEST_CASE("FakeKernel: connecting to any host reaches this one") {
  FakeKernel kernel;
  kernel.listen_on(8888);
  sockaddr_in any = loopback(8888);
  any.sin_addr.s_addr = htonl(INADDR_ANY);
  const int client = open_socket(kernel);
  CHECK(kernel.connect(client, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
}

TEST_CASE("FakeKernel: the padding of an address means nothing") {
  FakeKernel kernel;
  kernel.listen_on(8888);
  sockaddr_in padded = loopback(8888);
  std::fill(std::begin(padded.sin_zero), std::end(padded.sin_zero), std::uint8_t{0xff});
  const int client = open_socket(kernel);
  CHECK(kernel.connect(client, reinterpret_cast<sockaddr*>(&padded), sizeof padded) == 0);
}

TEST_CASE("FakeKernel: port 0 becomes a free port, a different one each time") {
  FakeKernel kernel;
  REQUIRE(bind_to(kernel, open_socket(kernel), loopback(49153)) == 0);
  std::vector<std::uint16_t> ports = {49153};
  for (int i = 0; i < 2; ++i) {
    const int fd = open_socket(kernel);
    REQUIRE(bind_to(kernel, fd, loopback(0)) == 0);
    sockaddr_in address{};
    std::uint32_t length = sizeof address;
    REQUIRE(kernel.getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    ports.push_back(ntohs(address.sin_port));
  }
  CHECK(ports[1] != 0);
  CHECK(ports[1] != ports[0]);
  CHECK(ports[2] != ports[0]);
  CHECK(ports[2] != ports[1]);
}

TEST_CASE("FakeKernel: an address that is taken is EADDRINUSE, until its owner closes") {
  FakeKernel kernel;
  const int first = open_socket(kernel);
  const int second = open_socket(kernel);
  REQUIRE(bind_to(kernel, first, loopback(80)) == 0);
  CHECK(bind_to(kernel, second, loopback(80)) == EADDRINUSE);
  REQUIRE(kernel.close(first) == 0);
  CHECK(bind_to(kernel, second, loopback(80)) == 0);
}

TEST_CASE("FakeKernel: connections do not keep the address of their listener") {
  FakeKernel kernel;
  const int listener = kernel.listen_on(80);
  REQUIRE(kernel.dial(80) >= 0);
  REQUIRE(kernel.accept_from(listener) >= 0);
  REQUIRE(kernel.close(listener) == 0);
  CHECK(bind_to(kernel, open_socket(kernel), loopback(80)) == 0);
}

TEST_CASE("FakeKernel: both sides of a connection see each other's address") {
  FakeKernel kernel;
  kernel.listen_on(8888);
  const int client = open_socket(kernel);
  REQUIRE(connect_to(kernel, client, 8888) == 0);
  sockaddr_in accepted_from{};
  std::uint32_t length = sizeof accepted_from;
  const IoResult server = kernel.accept(3, reinterpret_cast<sockaddr*>(&accepted_from), &length);
  REQUIRE(server.ok());
  sockaddr_in local{};
  sockaddr_in remote{};
  length = sizeof local;
  REQUIRE(kernel.getsockname(client, reinterpret_cast<sockaddr*>(&local), &length) == 0);
  REQUIRE(kernel.getpeername(client, reinterpret_cast<sockaddr*>(&remote), &length) == 0);
  CHECK(ntohs(remote.sin_port) == 8888);
  CHECK(local.sin_port == accepted_from.sin_port);
  CHECK(local.sin_port != 0);
}

TEST_CASE("FakeKernel: a pending connect becomes writable, and SO_ERROR says how it went") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  kernel.set_connects(FakeKernel::Connects::in_progress);
  kernel.listen_on(8888);
  for (const auto& [port, outcome] :
       {std::pair{std::uint16_t{8888}, 0}, std::pair{std::uint16_t{8889}, ECONNREFUSED}}) {
    CAPTURE(port);
    const int client = open_socket(kernel);
    CHECK(connect_to(kernel, client, port) == EINPROGRESS);
    REQUIRE(poller->set(client, 1, Interest::write) == 0);
    CHECK(ready_fds(*poller) == std::vector<int>{client});
    CHECK(int_option(kernel, client, SOL_SOCKET, SO_ERROR) == outcome);
    CHECK(int_option(kernel, client, SOL_SOCKET, SO_ERROR) == 0);
    poller->set(client, 1, Interest::none);
  }
}

TEST_CASE("FakeKernel: a held connect is silent until the test ends it") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  kernel.set_connects(FakeKernel::Connects::held);
  const int listener = kernel.listen_on(8888);
  const int lucky = open_socket(kernel);
  const int unlucky = open_socket(kernel);
  for (const int fd : {lucky, unlucky}) {
    CHECK(connect_to(kernel, fd, 8888) == EINPROGRESS);
    CHECK(connect_to(kernel, fd, 8888) == EALREADY);
    REQUIRE(poller->set(fd, 1, Interest::read_write) == 0);
  }
  CHECK(ready_fds(*poller).empty());
  kernel.finish_connect(lucky);
  CHECK(ready_fds(*poller) == std::vector<int>{lucky});
  CHECK(int_option(kernel, lucky, SOL_SOCKET, SO_ERROR) == 0);
  CHECK(kernel.accept_from(listener) >= 0);
  kernel.finish_connect(unlucky, ETIMEDOUT);
  CHECK(int_option(kernel, unlucky, SOL_SOCKET, SO_ERROR) == ETIMEDOUT);
  CHECK(kernel.accept_from(listener) == -1);
}

TEST_CASE("FakeKernel: a listener that closes resets those who wait to be accepted") {
  FakeKernel kernel;
  const int listener = kernel.listen_on(8888);
  const int client = kernel.dial(8888);
  REQUIRE(client >= 0);
  REQUIRE(kernel.close(listener) == 0);
  CHECK(recv_text(kernel, client) == said(ECONNRESET));
  CHECK(kernel.dial(8888) == -1);
}

TEST_CASE("FakeKernel: a reset is told after the bytes that came before it, and once") {
  FakeKernel kernel;
  const Pair pair = connected(kernel);
  kernel.put(pair.theirs, "last words");
  kernel.reset(pair.theirs);
  CHECK(recv_text(kernel, pair.ours) == "10:last words");
  CHECK(recv_text(kernel, pair.ours) == said(ECONNRESET));
  CHECK(recv_text(kernel, pair.ours) == "0:");
  CHECK(send_text(kernel, pair.ours, "x").error == EPIPE);
}

// A fact of Linux that costs bytes: whoever asks for the error takes it away from recv().
TEST_CASE("FakeKernel: SO_ERROR turns a reset into a clean end") {
  FakeKernel kernel;
  const Pair pair = connected(kernel);
  kernel.reset(pair.theirs);
  CHECK(int_option(kernel, pair.ours, SOL_SOCKET, SO_ERROR) == ECONNRESET);
  CHECK(recv_text(kernel, pair.ours) == "0:");
}

TEST_CASE("FakeKernel: closing with SO_LINGER on at zero seconds resets the connection") {
  FakeKernel kernel;
  for (const auto& [option, told] :
       {std::pair{linger{1, 0}, said(ECONNRESET)}, std::pair{linger{1, 5}, std::string("0:")},
        std::pair{linger{0, 0}, std::string("0:")}}) {
    const Pair pair = connected(kernel);
    REQUIRE(kernel.setsockopt(pair.theirs, SOL_SOCKET, SO_LINGER, &option, sizeof option) == 0);
    REQUIRE(kernel.close(pair.theirs) == 0);
    CHECK(recv_text(kernel, pair.ours) == told);
  }
}

TEST_CASE("FakeKernel: a send takes what fits, then would block until the peer reads") {
  FakeKernel kernel;
  const Pair pair = connected(kernel);
  kernel.set_capacity(pair.ours, 10);
  CHECK(send_text(kernel, pair.ours, "12345678").value == 8);
  CHECK(send_text(kernel, pair.ours, "90abc").value == 2);
  CHECK(send_text(kernel, pair.ours, "abc").error == EAGAIN);
  CHECK(recv_text(kernel, pair.theirs, 4) == "4:1234");
  CHECK(send_text(kernel, pair.ours, "abcdefg").value == 4);
  CHECK(send_text(kernel, pair.theirs, std::string(100, 'x')).value == 100);
}

TEST_CASE("FakeKernel: after shutdown a full socket is writable, so that send() names the error") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  const Pair pair = connected(kernel);
  kernel.set_capacity(pair.ours, 1);
  REQUIRE(send_text(kernel, pair.ours, "x").value == 1);
  REQUIRE(poller->set(pair.ours, 1, Interest::write) == 0);
  CHECK(ready_fds(*poller).empty());
  REQUIRE(kernel.shutdown(pair.ours, SHUT_WR) == 0);
  CHECK(ready_fds(*poller) == std::vector<int>{pair.ours});
}

TEST_CASE("FakeKernel: later sockets have the default capacity of that moment") {
  FakeKernel kernel;
  const std::string much(FakeKernel::default_capacity_bytes + 1, 'x');
  CHECK(send_text(kernel, connected(kernel).ours, much).value ==
        FakeKernel::default_capacity_bytes);
  kernel.set_default_capacity(3);
  CHECK(send_text(kernel, connected(kernel).ours, much).value == 3);
}

TEST_CASE("FakeKernel: a limit cuts every recv and send, and nothing is lost") {
  FakeKernel kernel;
  const Pair pair = connected(kernel);
  kernel.set_max_send(4);
  kernel.set_max_recv(3);
  CHECK(send_text(kernel, pair.ours, "abcdefgh").value == 4);
  kernel.set_max_send(0);
  CHECK(send_text(kernel, pair.ours, "efgh").value == 4);
  CHECK(recv_text(kernel, pair.theirs) == "3:abc");
  CHECK(recv_text(kernel, pair.theirs) == "3:def");
  CHECK(recv_text(kernel, pair.theirs) == "2:gh");
}

TEST_CASE("FakeKernel: several buffers are one stream, both ways") {
  FakeKernel kernel;
  const Pair pair = connected(kernel);
  std::array<char, 3> one = {'a', 'b', 'c'};
  std::array<char, 2> two = {'d', 'e'};
  const iovec out[] = {{one.data(), 3}, {two.data(), 0}, {two.data(), 2}};
  CHECK(kernel.send(pair.ours, out).value == 5);
  std::array<char, 1> first{};
  std::array<char, 8> rest{};
  const iovec in[] = {{first.data(), 1}, {rest.data(), 8}};
  CHECK(kernel.recv(pair.theirs, in).value == 5);
  CHECK(std::string(first.data(), 1) + std::string(rest.data(), 4) == "abcde");
  CHECK(kernel.recv(pair.theirs, {}).error == EINVAL);
}

TEST_CASE("FakeKernel: options are remembered, and those never set are 0") {
  FakeKernel kernel;
  const int fd = open_socket(kernel);
  const int on = 1;
  REQUIRE(kernel.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
  CHECK(int_option(kernel, fd, IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(int_option(kernel, fd, SOL_SOCKET, SO_REUSEADDR) == 0);
  CHECK(int_option(kernel, fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
  CHECK(int_option(kernel, fd, SOL_SOCKET, SO_ACCEPTCONN) == 0);
  REQUIRE(kernel.listen(fd, 1) == 0);
  CHECK(int_option(kernel, fd, SOL_SOCKET, SO_ACCEPTCONN) == 1);
}

// --- The test as the other end ---

TEST_CASE("FakeKernel: a test is a client without scripts or limits") {
  FakeKernel kernel;
  const int listener = open_socket(kernel);
  REQUIRE(bind_to(kernel, listener, loopback(8888)) == 0);
  REQUIRE(kernel.listen(listener, 8) == 0);
  kernel.fail_always(Call::send, EPIPE);
  kernel.fail_always(Call::recv, EIO);
  kernel.set_max_fds(2);
  const int client = kernel.dial(8888);
  REQUIRE(client >= 0);
  CHECK(kernel.accept(listener, nullptr, nullptr).error == EMFILE);
  const int server = kernel.accept_from(listener);
  REQUIRE(server >= 0);
  const std::string much(FakeKernel::default_capacity_bytes * 2, 'x');
  kernel.put(client, much);
  CHECK_FALSE(kernel.at_eof(server));
  kernel.put_eof(client);
  CHECK(kernel.take(server) == much);
  CHECK(kernel.at_eof(server));
  CHECK_FALSE(kernel.at_eof(client));
}

TEST_CASE("FakeKernel: acting for a descriptor that is not open is a ValueError") {
  FakeKernel kernel;
  CHECK_THROWS_WITH_AS(kernel.put(7, "x"), "descriptor 7 is not open", weir::ValueError);
  CHECK_THROWS_AS(kernel.finish_connect(connected(kernel).ours), weir::ValueError);
}

// --- Results on demand ---

TEST_CASE("FakeKernel: a script is used up in order, then calls are made again") {
  FakeKernel kernel;
  const Pair pair = connected(kernel);
  kernel.script(Call::send, {.error = EAGAIN});
  kernel.script(Call::send, {.value = 2});
  CHECK(send_text(kernel, pair.ours, "abc").error == EAGAIN);
  CHECK(send_text(kernel, pair.ours, "abc").value == 2);
  CHECK(kernel.take(pair.theirs).empty());
  CHECK(send_text(kernel, pair.ours, "abc").value == 3);
  CHECK(kernel.take(pair.theirs) == "abc");
}

TEST_CASE("FakeKernel: a call fails from now on, until it is cleared") {
  FakeKernel kernel;
  kernel.fail_always(Call::socket, ENOBUFS);
  CHECK(kernel.socket(AF_INET, SOCK_STREAM, 0).error == ENOBUFS);
  CHECK(kernel.socket(AF_INET, SOCK_STREAM, 0).error == ENOBUFS);
  CHECK(kernel.listen_on(80) >= 0);
  kernel.clear(Call::socket);
  CHECK(kernel.socket(AF_INET, SOCK_STREAM, 0).ok());
}

TEST_CASE("FakeKernel: every call that can fail can be made to fail") {
  FakeKernel kernel;
  const int fd = open_socket(kernel);
  const auto poller = kernel.make_poller();
  const auto executor = kernel.make_executor(1);
  for (std::size_t i = 0; i < weir::call_count; ++i) {
    const auto call = static_cast<Call>(i);
    const bool can_fail =
        call != Call::now && call != Call::freeaddrinfo && call != Call::poller_wake;
    if (can_fail)
      kernel.fail_always(call, ENOMEM);
    else
      CHECK_THROWS_AS(kernel.fail_always(call, ENOMEM), weir::ValueError);
  }
  int fds[2];
  std::uint32_t length = 0;
  std::vector<Ready> ready;
  CHECK(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == ENOMEM);
  CHECK(kernel.bind(fd, nullptr, 0) == ENOMEM);
  CHECK(kernel.listen(fd, 1) == ENOMEM);
  CHECK(kernel.accept(fd, nullptr, nullptr).error == ENOMEM);
  CHECK(kernel.connect(fd, nullptr, 0) == ENOMEM);
  CHECK(kernel.recv(fd, {}).error == ENOMEM);
  CHECK(kernel.send(fd, {}).error == ENOMEM);
  CHECK(kernel.shutdown(fd, SHUT_WR) == ENOMEM);
  CHECK(kernel.getsockopt(fd, 0, 0, nullptr, &length) == ENOMEM);
  CHECK(kernel.setsockopt(fd, 0, 0, nullptr, 0) == ENOMEM);
  CHECK(kernel.getsockname(fd, nullptr, &length) == ENOMEM);
  CHECK(kernel.getpeername(fd, nullptr, &length) == ENOMEM);
  CHECK(kernel.signal_action(SIGINT, nullptr, nullptr) == ENOMEM);
  CHECK(poller->set(fd, 1, Interest::read) == ENOMEM);
  CHECK(poller->wait(0ns, ready) == ENOMEM);
  CHECK_THROWS_AS(kernel.make_poller(), weir::OSError);
  CHECK_THROWS_AS(kernel.make_executor(1), weir::OSError);
  CHECK_THROWS_AS(executor->submit([] {}), weir::RuntimeError);
  CHECK(kernel.close(fd) == ENOMEM);
}

TEST_CASE("FakeKernel: a close that fails has closed") {
  FakeKernel kernel;
  const int fd = open_socket(kernel);
  kernel.script(Call::close, {.error = EINTR});
  CHECK(kernel.close(fd) == EINTR);
  CHECK(kernel.open_fds().empty());
}

TEST_CASE("FakeKernel: forgetting a descriptor succeeds even when registering fails") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  const Pair pair = connected(kernel);
  REQUIRE(poller->set(pair.ours, 1, Interest::write) == 0);
  kernel.fail_always(Call::poller_set, ENOMEM);
  CHECK(poller->set(pair.ours, 1, Interest::none) == 0);
  CHECK(kernel.registered_fds().empty());
}

// --- The ledger ---

TEST_CASE("FakeKernel: the lowest free number is given out first, from 3") {
  FakeKernel kernel;
  for (const int number : {3, 4, 5, 6}) CHECK(open_socket(kernel) == number);
  kernel.close(5);
  kernel.close(4);
  CHECK(open_socket(kernel) == 4);
  CHECK(open_socket(kernel) == 5);
  CHECK(open_socket(kernel) == 7);
  CHECK(kernel.open_fds() == std::vector<int>{3, 4, 5, 6, 7});
}

TEST_CASE("FakeKernel: no more descriptors than allowed, and the connection is not lost") {
  FakeKernel kernel;
  const int listener = kernel.listen_on(8888);
  REQUIRE(kernel.dial(8888) >= 0);
  kernel.set_max_fds(2);
  int fds[2];
  CHECK(kernel.socket(AF_INET, SOCK_STREAM, 0).error == EMFILE);
  CHECK(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == EMFILE);
  CHECK(kernel.accept(listener, nullptr, nullptr).error == EMFILE);
  kernel.set_max_fds(3);
  CHECK(kernel.accept(listener, nullptr, nullptr).ok());
}

TEST_CASE("FakeKernel: closing twice is noted") {
  FakeKernel kernel;
  const int fd = open_socket(kernel);
  CHECK(kernel.close(fd) == 0);
  CHECK(kernel.misuses().empty());
  CHECK(kernel.close(fd) == EBADF);
  CHECK(kernel.misuses() == std::vector<std::string>{"close: descriptor 3 is not open"});
}

TEST_CASE("FakeKernel: using a closed descriptor is noted") {
  FakeKernel kernel;
  const int fd = open_socket(kernel);
  kernel.close(fd);
  CHECK(recv_text(kernel, fd) == said(EBADF));
  CHECK(kernel.make_poller()->set(fd, 1, Interest::read) == EBADF);
  CHECK(kernel.misuses() == std::vector<std::string>{"recv: descriptor 3 is not open",
                                                     "poller_set: descriptor 3 is not open"});
}

TEST_CASE("FakeKernel: closing what is still registered is noted") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  const Pair pair = connected(kernel);
  REQUIRE(poller->set(pair.ours, 1, Interest::read) == 0);
  CHECK(kernel.registered_fds() == std::vector<int>{pair.ours});
  CHECK(kernel.close(pair.ours) == 0);
  CHECK(kernel.misuses() ==
        std::vector<std::string>{"close: descriptor 3 is registered with a poller"});
  CHECK(kernel.registered_fds().empty());
}

// --- Readiness ---

TEST_CASE("FakeKernel: ready descriptors come in ascending order") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  std::vector<int> fds;
  for (int i = 0; i < 3; ++i) fds.push_back(connected(kernel).ours);
  for (const std::size_t i : {2U, 0U, 1U}) {
    REQUIRE(poller->set(fds[i], 1, Interest::write) == 0);
  }
  CHECK(ready_fds(*poller) == fds);
}

TEST_CASE("FakeKernel: a filter decides what a wait reports, stale events included") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  const Pair pair = connected(kernel);
  REQUIRE(poller->set(pair.ours, 1, Interest::write) == 0);
  REQUIRE(poller->set(pair.theirs, 1, Interest::write) == 0);
  kernel.set_ready_filter([](std::vector<Ready>& ready) {
    std::reverse(ready.begin(), ready.end());
    ready.push_back({99, 7, true, false});
  });
  CHECK(ready_fds(*poller) == std::vector<int>{pair.theirs, pair.ours, 99});
}

TEST_CASE("FakeKernel: a listener is readable while somebody waits to be accepted") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  const int listener = kernel.listen_on(8888);
  REQUIRE(poller->set(listener, 1, Interest::read_write) == 0);
  CHECK(ready_fds(*poller).empty());
  kernel.dial(8888);
  CHECK(ready_fds(*poller) == std::vector<int>{listener});
  kernel.accept_from(listener);
  CHECK(ready_fds(*poller).empty());
}

// --- The executor ---

TEST_CASE("FakeKernel: jobs run in the next wait, on this thread, in order") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  const auto executor = kernel.make_executor(4);
  std::string order;
  std::thread::id runner;
  executor->submit([&] {
    order += "a";
    runner = std::this_thread::get_id();
    executor->submit([&order] { order += "c"; });
  });
  executor->submit([&order] { order += "b"; });
  CHECK(order.empty());
  std::vector<Ready> ready;
  CHECK(poller->wait(std::nullopt, ready) == 0);  // "c" is waiting: this is no deadlock.
  CHECK(order == "ab");
  CHECK(runner == std::this_thread::get_id());
  CHECK(poller->wait(std::nullopt, ready) == EDEADLK);
  CHECK(order == "abc");
}

TEST_CASE("FakeKernel: one job a wait, or none, if the test wants it so") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  const auto executor = kernel.make_executor(4);
  std::string order;
  for (const char* const name : {"a", "b"}) executor->submit([&order, name] { order += name; });
  std::vector<Ready> ready;
  kernel.set_jobs_per_wait(0);
  CHECK(poller->wait(1s, ready) == 0);
  CHECK(order.empty());
  CHECK(kernel.queued_jobs() == 2);
  kernel.set_jobs_per_wait(1);
  CHECK(poller->wait(1h, ready) == 0);
  CHECK(order == "a");
  CHECK(kernel.now() == FakeKernel::start + 1s);  // No time passes while a job is waiting.
}

TEST_CASE("FakeKernel: a job that wakes the poller ends the wait at once") {
  FakeKernel kernel;
  const auto poller = kernel.make_poller();
  const auto executor = kernel.make_executor(1);
  executor->submit([&poller] { poller->wake(); });
  std::vector<Ready> ready;
  CHECK(poller->wait(1h, ready) == 0);
  CHECK(kernel.now() == FakeKernel::start);
}

TEST_CASE("FakeKernel: shutdown destroys the waiting jobs of that executor only") {
  FakeKernel kernel;
  const auto first = kernel.make_executor(1);
  const auto second = kernel.make_executor(1);
  const auto token = std::make_shared<int>(0);
  first->submit([token] {});
  second->submit([] {});
  first->shutdown(false);
  CHECK(token.use_count() == 1);
  CHECK(kernel.queued_jobs() == 1);
  CHECK_THROWS_WITH_AS(first->submit([] {}), "cannot schedule new futures after shutdown",
                       weir::RuntimeError);
}

// --- Names and signals ---

TEST_CASE("getaddrinfo: numeric hosts are themselves, names are what the test says") {
  FakeKernel kernel;
  kernel.add_host("weir.test", {"10.0.0.1", "fd00::1"});
  CHECK(resolve(kernel, "192.0.2.7", "80") == "192.0.2.7/80");
  CHECK(resolve(kernel, "::1", nullptr) == "::1/0");
  CHECK(resolve(kernel, "localhost", "443") == "127.0.0.1/443");
  CHECK(resolve(kernel, "weir.test", "1") == "10.0.0.1/1 fd00::1/1");
}

TEST_CASE("getaddrinfo: without a host it is this machine, or any with AI_PASSIVE") {
  FakeKernel kernel;
  CHECK(resolve(kernel, nullptr, "80") == "127.0.0.1/80 ::1/80");
  addrinfo passive{};
  passive.ai_flags = AI_PASSIVE;
  CHECK(resolve(kernel, nullptr, "80", passive) == "0.0.0.0/80 ::/80");
}

TEST_CASE("getaddrinfo: a family leaves out the others") {
  FakeKernel kernel;
  kernel.add_host("weir.test", {"10.0.0.1", "fd00::1"});
  addrinfo v6{};
  v6.ai_family = AF_INET6;
  CHECK(resolve(kernel, "weir.test", "1", v6) == "fd00::1/1");
  CHECK(resolve(kernel, "10.0.0.1", "1", v6) == "code -2 errno 0");
}

TEST_CASE("getaddrinfo: unknown names, names where numbers must be, and bad ports are refused") {
  FakeKernel kernel;
  addrinfo numeric{};
  numeric.ai_flags = AI_NUMERICHOST;
  CHECK(resolve(kernel, "nowhere.test", "80") == "code -2 errno 0");
  CHECK(resolve(kernel, "localhost", "80", numeric) == "code -2 errno 0");
  CHECK(resolve(kernel, "localhost", "65536") == "code -8 errno 0");
  CHECK(resolve(kernel, "localhost", "http") == "code -8 errno 0");
  CHECK(resolve(kernel, "localhost", "80x") == "code -8 errno 0");
}

TEST_CASE("getaddrinfo: a script says the resolver's number, or an errno") {
  FakeKernel kernel;
  kernel.script(Call::getaddrinfo, {.value = EAI_AGAIN});
  kernel.script(Call::getaddrinfo, {.error = EMFILE});
  CHECK(resolve(kernel, "localhost", "80") == "code -3 errno 0");
  CHECK(resolve(kernel, "localhost", "80") == "code -11 errno 24");
  CHECK(resolve(kernel, "localhost", "80") == "127.0.0.1/80");
}

TEST_CASE("raise_signal: runs the handler that was installed, of either kind") {
  FakeKernel kernel;
  struct sigaction action{};
  action.sa_handler = note_signal;
  REQUIRE(kernel.signal_action(SIGINT, &action, nullptr) == 0);
  CHECK(kernel.raise_signal(SIGINT));
  CHECK(signals_seen == SIGINT);
  action.sa_sigaction = note_signal_with_info;
  action.sa_flags = SA_SIGINFO;
  REQUIRE(kernel.signal_action(SIGINT, &action, nullptr) == 0);
  CHECK(kernel.raise_signal(SIGINT));
  CHECK(signals_seen == 1000 + 2 * SIGINT);
}

TEST_CASE("raise_signal: says when the default action would have been taken") {
  FakeKernel kernel;
  CHECK_FALSE(kernel.raise_signal(SIGTERM));
  struct sigaction ignore{};
  struct sigaction before{};
  ignore.sa_handler = SIG_IGN;
  REQUIRE(kernel.signal_action(SIGTERM, &ignore, &before) == 0);
  CHECK(kernel.raise_signal(SIGTERM));
  REQUIRE(kernel.signal_action(SIGTERM, &before, nullptr) == 0);
  CHECK_FALSE(kernel.raise_signal(SIGTERM));
}

TEST_CASE("signal_action: the old action comes back, also without a new one") {
  FakeKernel kernel;
  struct sigaction action{};
  struct sigaction old{};
  action.sa_handler = note_signal;
  REQUIRE(kernel.signal_action(SIGINT, &action, &old) == 0);
  CHECK((old.sa_handler == SIG_DFL));
  REQUIRE(kernel.signal_action(SIGINT, nullptr, &old) == 0);
  CHECK((old.sa_handler == note_signal));
}

TEST_CASE("signal_action: what Linux refuses is EINVAL") {
  FakeKernel kernel;
  const struct sigaction action{};
  for (const int number : {0, -1, 1000, SIGKILL, SIGSTOP}) {
    CAPTURE(number);
    CHECK(kernel.signal_action(number, &action, nullptr) == EINVAL);
  }
}

TEST_SUITE_END();
