// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net/address.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/sim_kernel.hpp>

namespace weir {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t port = 4000;
constexpr std::uint16_t always = 1000;

/// A machine with a poller, and shorter names for what a program does to it.
struct Machine {
  explicit Machine(const SimOptions& options = {}, std::uint64_t seed = 1)
      : kernel(seed, options), poller(kernel.make_poller()) {}

  int open(int family = AF_INET) {
    return static_cast<int>(kernel.socket(family, SOCK_STREAM, 0).value);
  }
  int bind(int fd, const Endpoint& where) {
    sockaddr_storage room{};
    const socklen_t length = where.copy_to(room);
    return kernel.bind(fd, reinterpret_cast<sockaddr*>(&room), length);
  }
  int listen(const Endpoint& where, int backlog = 8) {
    const int fd = open(where.family());
    REQUIRE(bind(fd, where) == 0);
    REQUIRE(kernel.listen(fd, backlog) == 0);
    return fd;
  }
  int connect(int fd, const Endpoint& where) {
    sockaddr_storage room{};
    const socklen_t length = where.copy_to(room);
    return kernel.connect(fd, reinterpret_cast<sockaddr*>(&room), length);
  }
  IoResult accept(int fd) { return kernel.accept(fd, nullptr, nullptr); }
  IoResult send(int fd, std::string_view bytes) {
    const iovec buffer{const_cast<char*>(bytes.data()), bytes.size()};
    return kernel.send(fd, std::span(&buffer, 1));
  }
  IoResult recv(int fd, std::string& got, std::size_t room = 100000) {
    got.resize(room);
    const iovec buffer{got.data(), room};
    const IoResult result = kernel.recv(fd, std::span(&buffer, 1));
    got.resize(result.ok() ? static_cast<std::size_t>(result.value) : 0);
    return result;
  }
  std::string take(int fd) {
    std::string got;
    recv(fd, got);
    return got;
  }
  int error_of(int fd) {
    std::string got;
    return recv(fd, got).error;
  }
  int option_error(int fd) {
    int value = 0;
    std::uint32_t length = sizeof value;
    kernel.getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length);
    return value;
  }
  std::vector<Ready> wait(std::optional<Duration> timeout = Duration::zero()) {
    std::vector<Ready> ready;
    last_error = poller->wait(timeout, ready);
    return ready;
  }
  /// Both ends of a connection through `listener`.
  std::pair<int, int> link(const Endpoint& where = tcp()) {
    if (listener < 0) listener = listen(where);
    const int client = open(where.family());
    connect(client, where);
    wait();
    const IoResult accepted = accept(listener);
    REQUIRE(accepted.ok());
    return {client, static_cast<int>(accepted.value)};
  }
  static Endpoint tcp() { return *Endpoint::parse("127.0.0.1", port); }
  Duration since_start() { return kernel.now() - SimKernel::start; }

  SimKernel kernel;
  std::unique_ptr<Poller> poller;
  int listener = -1;
  int last_error = 0;
};

SimOptions with(SimFault fault, std::uint16_t rate = always) {
  return SimOptions().set(fault, rate);
}

TEST_SUITE_BEGIN("sim/sim_kernel");

TEST_CASE("SimKernel: a quiet machine takes bytes from one end to the other at once") {
  Machine machine;
  const auto [client, server] = machine.link();
  CHECK(machine.send(client, "hello").value == 5);
  CHECK(machine.take(server) == "hello");
}

TEST_CASE("SimKernel: connecting is in progress until the network has answered") {
  Machine machine(with(SimFault::slow_connect));
  machine.listen(Machine::tcp());
  const int client = machine.open();
  CHECK(machine.connect(client, Machine::tcp()) == EINPROGRESS);
  machine.poller->set(client, 1, Interest::write);
  const std::vector<Ready> ready = machine.wait(2min);
  REQUIRE(ready.size() == 1);
  CHECK(ready[0].writable);
  CHECK(machine.since_start() > 0ns);
}

TEST_CASE("SimKernel: nobody listens there, and SO_ERROR says so once") {
  Machine machine;
  const int client = machine.open();
  machine.connect(client, Machine::tcp());
  machine.wait();
  CHECK(machine.option_error(client) == ECONNREFUSED);
  CHECK(machine.option_error(client) == 0);
}

TEST_CASE("SimKernel: a full backlog makes a TCP client ask again after a second") {
  Machine machine;
  machine.listener = machine.listen(Machine::tcp(), 0);
  const int first = machine.open();
  const int second = machine.open();
  machine.connect(first, Machine::tcp());
  machine.connect(second, Machine::tcp());
  machine.wait();
  CHECK(machine.accept(machine.listener).ok());
  CHECK(machine.accept(machine.listener).error == EAGAIN);
  machine.wait(2s);
  CHECK(machine.accept(machine.listener).ok());
}

TEST_CASE("SimKernel: a full backlog is EAGAIN to a unix client") {
  Machine machine;
  const Endpoint path = Endpoint::at_path("/run/x");
  machine.listen(path, 0);
  CHECK(machine.connect(machine.open(AF_UNIX), path) == 0);
  CHECK(machine.connect(machine.open(AF_UNIX), path) == EAGAIN);
}

TEST_CASE("SimKernel: a window is full until the other side reads") {
  Machine machine;
  const auto [client, server] = machine.link();
  const std::string much(SimKernel::default_capacity_bytes + 1, 'x');
  CHECK(machine.send(client, much).value == SimKernel::default_capacity_bytes);
  CHECK(machine.send(client, "y").error == EAGAIN);
  CHECK_FALSE(machine.kernel.writable(client));
  machine.take(server);
  CHECK(machine.send(client, "y").value == 1);
}

TEST_CASE("SimKernel: what is under way arrives in order, ends last") {
  SimOptions options = with(SimFault::latency, 500);
  Machine machine(options);
  const auto [client, server] = machine.link();
  std::string sent;
  for (int i = 0; i < 50; ++i) {
    const std::string piece = std::to_string(i) + " ";
    sent += piece;
    machine.send(client, piece);
  }
  machine.kernel.shutdown(client, SHUT_WR);
  machine.poller->set(server, 1, Interest::read);
  std::string got;
  for (;;) {
    machine.wait(1s);
    std::string piece;
    const IoResult result = machine.recv(server, piece);
    if (result.ok() && result.value == 0) break;
    got += piece;
  }
  CHECK(got == sent);
}

TEST_CASE("SimKernel: a paused link stands still for up to the longest pause") {
  Machine machine(with(SimFault::pause));
  const auto [client, server] = machine.link();
  machine.send(client, "x");
  CHECK(machine.error_of(server) == EAGAIN);
  machine.poller->set(server, 1, Interest::read);
  CHECK(machine.wait(1h).size() == 1);
  CHECK(machine.take(server) == "x");
}

TEST_CASE("SimKernel: bytes that came before a reset are read before it is told") {
  Machine machine;
  const auto [client, server] = machine.link();
  machine.send(server, "unread");
  machine.send(client, "data");
  machine.kernel.close(client);
  CHECK(machine.take(server) == "data");
  CHECK(machine.error_of(server) == ECONNRESET);
  CHECK(machine.kernel.stream(1).error_told == ECONNRESET);
}

TEST_CASE("SimKernel: a reset whose error was asked for looks like an end") {
  Machine machine;
  const auto [client, server] = machine.link();
  machine.send(server, "unread");
  machine.kernel.close(client);
  CHECK(machine.option_error(server) == ECONNRESET);
  std::string got;
  CHECK(machine.recv(server, got).ok());
  CHECK_FALSE(machine.kernel.stream(1).end_told);
}

TEST_CASE("SimKernel: sending to somebody who has closed brings a reset") {
  Machine machine;
  const auto [client, server] = machine.link();
  machine.kernel.close(client);
  CHECK(machine.take(server).empty());
  CHECK(machine.send(server, "x").ok());
  CHECK(machine.send(server, "y").error == EPIPE);
}

TEST_CASE("SimKernel: a unix socket knows at once that its peer has closed") {
  Machine machine;
  int fds[2];
  REQUIRE(machine.kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  machine.kernel.close(fds[0]);
  CHECK(machine.send(fds[1], "x").error == EPIPE);
}

// Linux: unix_release_sock, unix_stream_read_generic. TCP tells the end only.
TEST_CASE("SimKernel: a unix socket tells a reset after the end of the stream too") {
  Machine machine;
  int fds[2];
  REQUIRE(machine.kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  REQUIRE(machine.kernel.shutdown(fds[0], SHUT_WR) == 0);
  REQUIRE(machine.send(fds[1], "unread").ok());
  machine.kernel.close(fds[0]);
  CHECK(machine.error_of(fds[1]) == ECONNRESET);
  std::string got;
  CHECK(machine.recv(fds[1], got).ok());
}

TEST_CASE("SimKernel: closing an orderly end loses nothing") {
  Machine machine(with(SimFault::latency));
  const auto [client, server] = machine.link();
  machine.send(client, "the last words");
  machine.kernel.close(client);
  machine.kernel.heal();
  machine.wait();
  CHECK(machine.take(server) == "the last words");
  CHECK(machine.take(server).empty());
  CHECK(machine.kernel.stream(1).end_told);
}

TEST_CASE("SimKernel: connections that wait when a listener closes are reset") {
  Machine machine;
  const int listener = machine.listen(Machine::tcp());
  const int client = machine.open();
  machine.connect(client, Machine::tcp());
  machine.wait();
  machine.kernel.close(listener);
  CHECK(machine.error_of(client) == ECONNRESET);
}

TEST_CASE("SimKernel: a short receive leaves the rest") {
  Machine machine(with(SimFault::short_recv));
  const auto [client, server] = machine.link();
  machine.send(client, "0123456789");
  const std::string first = machine.take(server);
  CHECK(first.size() < 10);
  CHECK(first + machine.take(server).substr(0, 1) == std::string("0123456789", first.size() + 1));
}

TEST_CASE("SimKernel: a short send takes a part") {
  Machine machine(with(SimFault::short_send));
  const auto [client, server] = machine.link();
  const IoResult sent = machine.send(client, "0123456789");
  CHECK(sent.value < 10);
  CHECK(machine.take(server) == std::string("0123456789", static_cast<std::size_t>(sent.value)));
}

TEST_CASE("SimKernel: EAGAIN storms end") {
  Machine machine(with(SimFault::again, 300));
  const auto [client, server] = machine.link();
  machine.kernel.heal();
  machine.send(client, "x");
  CHECK(machine.take(server) == "x");
}

TEST_CASE("SimKernel: without descriptors socket() and accept() say EMFILE, for a while") {
  Machine machine(with(SimFault::no_fds));
  CHECK(machine.kernel.socket(AF_INET, SOCK_STREAM, 0).error == EMFILE);
  machine.kernel.heal();
  CHECK(machine.kernel.socket(AF_INET, SOCK_STREAM, 0).ok());
}

TEST_CASE("SimKernel: an aborted connection is gone from the backlog") {
  Machine machine(with(SimFault::abort_accept));
  const int listener = machine.listen(Machine::tcp());
  const int client = machine.open();
  machine.connect(client, Machine::tcp());
  machine.wait();
  CHECK(machine.accept(listener).error == ECONNABORTED);
  CHECK(machine.accept(listener).error == EAGAIN);
  CHECK(machine.error_of(client) == ECONNRESET);
}

TEST_CASE("SimKernel: an event can come again, with the generation that it had") {
  Machine machine(with(SimFault::replay));
  const auto [client, server] = machine.link();
  machine.poller->set(server, 7, Interest::read);
  machine.send(client, "x");
  REQUIRE(machine.wait().size() == 1);
  machine.take(server);
  machine.poller->set(server, 8, Interest::read);
  const std::vector<Ready> again = machine.wait();
  REQUIRE(again.size() == 1);
  CHECK(again[0].generation == 7);
}

TEST_CASE("SimKernel: a spurious event has nothing behind it") {
  Machine machine(with(SimFault::spurious));
  const auto [client, server] = machine.link();
  machine.poller->set(server, 1, Interest::read);
  CHECK(machine.wait().size() == 1);
  CHECK(machine.error_of(server) == EAGAIN);
  CHECK(client >= 0);
}

TEST_CASE("SimKernel: an event that is held back takes time") {
  Machine machine(with(SimFault::held_back));
  const auto [client, server] = machine.link();
  machine.poller->set(server, 1, Interest::read);
  machine.send(client, "x");
  CHECK(machine.wait().empty());
  CHECK(machine.since_start() > 0ns);
}

TEST_CASE("SimKernel: a pending connect() is never reported before it is decided") {
  Machine machine(SimOptions().set(SimFault::spurious, always).set(SimFault::slow_connect, always));
  machine.listen(Machine::tcp());
  const int client = machine.open();
  machine.connect(client, Machine::tcp());
  machine.poller->set(client, 1, Interest::write);
  CHECK(machine.wait().empty());
}

TEST_CASE("SimKernel: a wait ends when its time has come, never earlier") {
  Machine machine;
  machine.wait(1500us);
  CHECK(machine.since_start() == 1500us);
}

TEST_CASE("SimKernel: a late wait ends late") {
  Machine machine(with(SimFault::late_wake));
  machine.wait(1ms);
  CHECK(machine.since_start() > 1ms);
}

TEST_CASE("SimKernel: a wait that nothing could end is EDEADLK") {
  Machine machine;
  machine.wait(std::nullopt);
  CHECK(machine.last_error == EDEADLK);
}

TEST_CASE("SimKernel: wake() ends a wait") {
  Machine machine;
  machine.poller->wake();
  machine.wait(std::nullopt);
  CHECK(machine.last_error == 0);
}

TEST_CASE("SimKernel: a job of an executor runs while the loop waits") {
  Machine machine(with(SimFault::slow_resolve));
  const std::unique_ptr<Executor> executor = machine.kernel.make_executor(1);
  bool ran = false;
  executor->submit([&ran] { ran = true; });
  CHECK_FALSE(ran);
  machine.wait(2min);
  CHECK(ran);
}

TEST_CASE("SimKernel: jobs of an executor that has been shut down do not run") {
  Machine machine;
  std::unique_ptr<Executor> executor = machine.kernel.make_executor(1);
  bool ran = false;
  executor->submit([&ran] { ran = true; });
  executor = nullptr;
  machine.wait(1s);
  CHECK_FALSE(ran);
}

TEST_CASE("SimKernel: names resolve, or fail with EAI_…") {
  addrinfo* list = nullptr;
  int system_error = 0;
  Machine machine;
  machine.kernel.add_host("example", {"10.0.0.1"});
  CHECK(machine.kernel.getaddrinfo("example", "80", nullptr, &list, &system_error) == 0);
  machine.kernel.freeaddrinfo(list);
  Machine failing(with(SimFault::fail_resolve));
  CHECK(failing.kernel.getaddrinfo("localhost", "80", nullptr, &list, &system_error) != 0);
}

TEST_CASE("SimKernel: close() that says EINTR has closed") {
  Machine machine(with(SimFault::close_error));
  const int fd = machine.open();
  CHECK(machine.kernel.close(fd) != 0);
  CHECK(machine.kernel.open_fds().empty());
}

TEST_CASE("SimKernel: closing twice, and closing what is registered, is misuse") {
  Machine machine;
  const int fd = machine.open();
  machine.poller->set(fd, 1, Interest::read);
  machine.kernel.close(fd);
  machine.kernel.close(fd);
  const std::vector<std::string> expected = {"close: descriptor 3 is registered with a poller",
                                             "close: descriptor 3 is not open"};
  CHECK(machine.kernel.misuses() == expected);
}

TEST_CASE("SimKernel: sending after shutdown() is misuse") {
  Machine machine;
  const auto [client, server] = machine.link();
  machine.kernel.shutdown(client, SHUT_WR);
  CHECK(machine.send(client, "x").error == EPIPE);
  CHECK(machine.kernel.misuses().size() == 1);
  CHECK(server >= 0);
}

TEST_CASE("SimKernel: watching as of the generation of the number's last owner is misuse") {
  Machine machine;
  for (const std::uint32_t generation : {1U, 2U, 2U}) {
    const int fd = machine.open();
    machine.poller->set(fd, generation, Interest::read);
    machine.poller->set(fd, generation, Interest::none);
    machine.poller->set(fd, generation, Interest::read);  // As after a pause: still its own.
    machine.poller->set(fd, generation, Interest::none);
    machine.kernel.close(fd);
  }
  const std::vector<std::string> expected = {
      "poller_set: descriptor 3 is watched as of its last owner's generation"};
  CHECK(machine.kernel.misuses() == expected);
}

TEST_CASE("SimKernel: who is told four times without asking is reported") {
  Machine machine;
  const auto [client, server] = machine.link();
  machine.poller->set(server, 1, Interest::read);
  machine.send(client, "x");
  for (int i = 0; i < 3; ++i) machine.wait();
  CHECK(machine.kernel.misuses().empty());
  machine.wait();
  CHECK(machine.kernel.misuses().size() == 1);
}

TEST_CASE("SimKernel: two runs with one seed are equal, with two seeds not") {
  const auto hash_of = [](std::uint64_t seed) {
    SimRandom random(seed);
    Machine machine(SimOptions::swarm(random), seed);
    const int listener = machine.listen(Machine::tcp());
    machine.poller->set(listener, 1, Interest::read);
    for (int i = 0; i < 20; ++i) {
      machine.connect(machine.open(), Machine::tcp());
      machine.wait(1s);
      machine.accept(listener);
    }
    return machine.kernel.trace().hash();
  };
  CHECK(hash_of(1) == hash_of(1));
  CHECK(hash_of(1) != hash_of(2));
}

TEST_CASE("SimTrace: says what happened, when it was asked to record") {
  Machine machine;
  machine.kernel.trace().record();
  const int fd = machine.open();
  machine.error_of(fd);
  const std::vector<std::string> expected = {"    0.000000 socket = 3",
                                             "    0.000000 recv(3) = ENOTCONN"};
  CHECK(machine.kernel.trace().lines() == expected);
}

TEST_CASE("SimRandom: the numbers are the same for ever") {
  SimRandom random(1);
  CHECK(random.next() == 12966619160104079557U);
  CHECK(random.next() == 9600361134598540522U);
}

TEST_CASE("SimRandom: up_to() stays within its bounds, and reaches all magnitudes") {
  SimRandom random(5);
  int below_a_microsecond = 0;
  int above_a_second = 0;
  for (int i = 0; i < 1000; ++i) {
    const Duration drawn = random.up_to(1h);
    CHECK(drawn > 0ns);
    CHECK(drawn <= 1h);
    below_a_microsecond += drawn < 1us ? 1 : 0;
    above_a_second += drawn > 1s ? 1 : 0;
  }
  CHECK(below_a_microsecond > 50);
  CHECK(above_a_second > 50);
}

TEST_CASE("SimOptions: a swarm turns some faults on and leaves some off") {
  SimRandom random(3);
  const SimOptions options = SimOptions::swarm(random);
  const auto off = std::count(options.rates.begin(), options.rates.end(), 0);
  CHECK(off > 3);
  CHECK(off < 22);
}

TEST_SUITE_END();

}  // namespace
}  // namespace weir
