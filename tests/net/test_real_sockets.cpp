// SPDX-License-Identifier: MIT
//
// What only the real kernel can show: the orders in which it tells bytes, ends and resets, and what
// a poller says of sockets that nobody reads.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/net/server.hpp>
#include <weir/net/socket_transport.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/unique_fd.hpp>

#include <tests/net/net_loop.hpp>
#include <tests/net/real_loop.hpp>
#include <tests/net/recorder.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::error_of;
using weir::test::fd_of;
using weir::test::Loopback;
using weir::test::pollers;
using weir::test::posix;
using weir::test::put;
using weir::test::put_eof;
using weir::test::RealLoop;
using weir::test::Recorder;
using weir::test::reset;
using weir::test::wait_for_events;

TEST_SUITE_BEGIN("net/real_sockets");

// An error that somebody asks for before the bytes are read becomes an end of the stream: tcp(7),
// SO_ERROR.
TEST_CASE("B54: bytes, then the end or the reset that came; never an end that did not come") {
  const Loopback net;
  for (const char* poller : pollers) {
    for (const bool data : {false, true}) {
      for (const bool fin : {false, true}) {
        for (const bool rst : {false, true}) {
          for (const bool paused : {false, true}) {
            if (!fin && !rst) continue;
            CAPTURE(poller);
            CAPTURE(data);
            CAPTURE(fin);
            CAPTURE(rst);
            CAPTURE(paused);
            RealLoop real(poller);
            auto [ours, peer] = net.connection();
            const int fd = ours.get();
            const auto recorder = real.start(std::move(ours));
            real.settle();
            if (paused) recorder->transport->pause_reading();
            real.settle();
            if (data) put(peer, "data");
            if (fin) put_eof(peer);
            if (rst) reset(peer);
            wait_for_events(fd, rst ? 0 : POLLIN);
            real.settle();
            if (paused) {
              CHECK(recorder->trace == "made ");
              CHECK(real.ready_events() == 0);
              recorder->transport->resume_reading();
              real.settle();
            }
            CHECK(recorder->trace ==
                  std::string("made ") + (data ? "data(data) " : "") +
                      (fin ? "eof lost() " : "lost([Errno 104] Connection reset by peer) "));
          }
        }
      }
    }
  }
}

TEST_CASE("B54: who writes into a reset hears the error, and no end of the stream") {
  const Loopback net;
  for (const bool data : {false, true}) {
    for (const bool at_once : {false, true}) {
      CAPTURE(data);
      CAPTURE(at_once);
      RealLoop real;
      auto [ours, peer] = net.connection();
      const int fd = ours.get();
      const auto recorder = real.start(std::move(ours));
      real.settle();
      if (data) put(peer, "data");
      reset(peer);
      wait_for_events(fd, 0);
      real.loop->call_soon(
          [&] { recorder->transport->write(std::string(at_once ? 20'000 : 1, 'x')); });
      real.settle();
      CHECK(recorder->trace.ends_with("lost([Errno 104] Connection reset by peer) "));
      CHECK(recorder->trace.find("eof") == std::string::npos);
    }
  }
}

// h2o#603, twisted#2809, cups#4605, bun#37920: hang-ups cannot be masked.
TEST_CASE(
    "B07, B08, B88: a peer that closes or resets makes nobody spin, whatever state we are in") {
  const Loopback net;
  const std::pair<const char*, std::function<void(Recorder&)>> states[] = {
      {"idle", [](Recorder&) {}},
      {"paused", [](Recorder& r) { r.transport->pause_reading(); }},
      {"write_eof sent", [](Recorder& r) { r.transport->write_eof(); }},
      {"paused and write_eof sent",
       [](Recorder& r) {
         r.transport->pause_reading();
         r.transport->write_eof();
       }},
      {"keeps half-open", [](Recorder& r) { r.keep_open = true; }},
      {"keeps half-open, write_eof sent",
       [](Recorder& r) {
         r.keep_open = true;
         r.transport->write_eof();
       }},
  };
  for (const char* poller : pollers) {
    for (const bool tcp : {true, false}) {
      for (const bool with_reset : {false, true}) {
        for (const auto& [name, bring_about] : states) {
          CAPTURE(poller);
          CAPTURE(tcp);
          CAPTURE(with_reset);
          CAPTURE(name);
          RealLoop real(poller);
          std::pair<UniqueFd, UniqueFd> ends;
          if (tcp) {
            ends = net.connection();
          } else {
            int fds[2];
            REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
            ends = {UniqueFd(posix, fds[0]), UniqueFd(posix, fds[1])};
          }
          const int fd = ends.first.get();
          const auto recorder = real.start(std::move(ends.first));
          real.settle();
          bring_about(*recorder);
          real.settle();
          with_reset ? reset(ends.second) : ends.second.reset();
          if (!recorder->lost()) wait_for_events(fd, POLLIN);
          real.settle();
          CHECK(real.ready_events() == 0);
          if (!recorder->lost()) {
            recorder->transport->resume_reading();
            real.settle();
            CHECK(real.ready_events() == 0);
            recorder->transport->abort();
          }
          real.settle();
          CHECK(recorder->lost());
          CHECK(real.ready_events() == 0);
        }
      }
    }
  }
}

TEST_CASE("B88: both directions may end in either order, and the connection ends once") {
  const Loopback net;
  for (const char* poller : pollers) {
    for (const bool we_first : {true, false}) {
      for (const bool paused : {true, false}) {
        CAPTURE(poller);
        CAPTURE(we_first);
        CAPTURE(paused);
        RealLoop real(poller);
        auto [ours, peer] = net.connection();
        const int fd = ours.get();
        const auto recorder = real.start(std::move(ours));
        real.settle();
        recorder->keep_open = true;
        if (paused) recorder->transport->pause_reading();
        const auto we_end = [&] {
          recorder->transport->write("ours");
          recorder->transport->write_eof();
        };
        if (we_first) we_end();
        real.settle();
        put(peer, "theirs");
        put_eof(peer);
        wait_for_events(fd, POLLIN);
        real.settle();
        if (!we_first) we_end();
        real.settle();
        CHECK(real.ready_events() == 0);
        recorder->transport->resume_reading();
        real.settle();
        CHECK(recorder->trace == "made data(theirs) eof ");
        CHECK(real.ready_events() == 0);  // Both ends are over: poll(2) says so for ever.
        recorder->transport->close();
        real.settle();
        CHECK(recorder->trace == "made data(theirs) eof lost() ");
        char room[16];
        CHECK(::recv(peer.get(), room, sizeof room, 0) == 4);
        CHECK(::recv(peer.get(), room, sizeof room, 0) == 0);
      }
    }
  }
}

TEST_CASE("no spinning: a peer that resets while we wait for room is noticed at once") {
  const Loopback net;
  for (const char* poller : pollers) {
    CAPTURE(poller);
    RealLoop real(poller);
    auto [ours, peer] = net.connection();
    const int fd = ours.get();
    const auto recorder = real.start(std::move(ours));
    real.settle();
    recorder->transport->pause_reading();
    recorder->transport->write(std::string(10'000'000, 'x'));
    real.settle();
    CHECK(recorder->trace == "made pause ");
    CHECK(real.ready_events() == 0);
    reset(peer);
    wait_for_events(fd, 0);
    real.settle();
    CHECK(recorder->trace == "made pause lost([Errno 104] Connection reset by peer) ");
  }
}

// libuv bbccafbe7: the number of a closed descriptor comes back in the batch that still has its
// events.
TEST_CASE("B01: a transport whose number was another's hears no event of that one") {
  const Loopback net;
  for (const char* poller : pollers) {
    CAPTURE(poller);
    RealLoop real(poller);
    std::vector<UniqueFd> peers;
    std::vector<std::shared_ptr<Recorder>> first;
    std::vector<std::shared_ptr<Recorder>> later;
    for (int i = 0; i < 2; ++i) {
      auto [ours, peer] = net.connection();
      first.push_back(real.start(std::move(ours)));
      peers.push_back(std::move(peer));
    }
    real.settle();
    for (int i = 0; i < 2; ++i) {
      const auto index = static_cast<std::size_t>(i);
      first[index]->on_data = [&, index] {
        if (!later.empty()) return;
        first[1 - index]->transport->abort();
        real.loop->call_soon([&] {  // After its connection_lost: the number is free.
          for (int n = 0; n < 64; ++n) {
            auto [ours, peer] = net.connection();
            later.push_back(real.start(std::move(ours)));
            peers.push_back(std::move(peer));
          }
        });
      };
      put(peers[index], "data");
      wait_for_events(fd_of(*first[index]), POLLIN);
    }
    for (int i = 0; i < 20; ++i) {
      // A run that is not stopped before it polls: the events of the batch are drained one by one.
      real.loop->call_later(0s, [&] { real.loop->stop(); });
      real.loop->run_forever();
    }
    CHECK(later.size() == 64);
    for (const auto& recorder : later) CHECK(recorder->trace == "made ");
    const bool one_only = first[0]->received.empty() != first[1]->received.empty();
    CHECK(one_only);
  }
}

// libuv 3ecce9141: a dup keeps the open file alive, and with it a registration that was not taken
// back.
TEST_CASE("B02: a transport whose socket was dup'ed leaves nothing with the poller") {
  const Loopback net;
  for (const char* poller : pollers) {
    CAPTURE(poller);
    RealLoop real(poller);
    auto [ours, peer] = net.connection();
    const UniqueFd copy(posix, ::fcntl(ours.get(), F_DUPFD_CLOEXEC, 0));
    const auto recorder = real.start(std::move(ours));
    real.settle();
    recorder->transport->close();
    real.settle();
    CHECK(recorder->lost());
    put(peer, "still there, by the copy");
    wait_for_events(copy.get(), POLLIN);
    CHECK(real.ready_events() == 0);
  }
}

TEST_CASE("B27: a client that has connected, sent and reset is heard to the end, and has a name") {
  RealLoop real;
  std::vector<std::shared_ptr<Recorder>> recorders;
  const auto factory = [&] {
    recorders.push_back(std::make_shared<Recorder>());
    return recorders.back();
  };
  const Server server = real.loop->run_until_complete(create_server(factory, "127.0.0.1", 0));
  const TransportSocket listener = server.sockets().at(0);
  UniqueFd client = Loopback::connect_to(Loopback::address_of(listener.fd()));
  const Endpoint client_name =
      Endpoint::parse("127.0.0.1", ntohs(Loopback::address_of(client.get()).sin_port)).value();
  put(client, "last words");
  reset(client);
  wait_for_events(listener.fd(), POLLIN);
  real.settle();
  REQUIRE(recorders.size() == 1);
  CHECK(recorders[0]->trace == "made data(last words) lost([Errno 104] Connection reset by peer) ");
  CHECK(recorders[0]->transport->get_extra_info("peername").endpoint() == client_name);
}

TEST_CASE(
    "create_connection: TCP_NODELAY is on at both ends, and off where the protocol is not known") {
  RealLoop real;
  const Future<std::shared_ptr<Recorder>> accepted =
      real.loop->create_future<std::shared_ptr<Recorder>>();
  const auto accept = [&] {
    accepted.set_result(std::make_shared<Recorder>());
    return accepted.result();
  };
  const auto connect = [] { return std::make_shared<Recorder>(); };
  const Server server = real.loop->run_until_complete(create_server(accept, "127.0.0.1", 0));
  const int port = server.sockets().at(0).getsockname().port();
  const auto made = real.loop->run_until_complete(create_connection(connect, "127.0.0.1", port));
  const std::shared_ptr<Recorder> other = real.loop->run_until_complete(accepted);
  real.settle();
  REQUIRE(other->transport);
  const auto no_delay = [](Transport& transport) {
    return transport.get_extra_info("socket").socket()->getsockopt(IPPROTO_TCP, TCP_NODELAY).value;
  };
  CHECK(no_delay(*made.transport) == 1);
  CHECK(no_delay(*other->transport) == 1);
  const Loopback net;
  auto [ours, peer] = net.connection();
  const auto given = real.start(std::move(ours), 0);
  real.settle();
  CHECK(no_delay(*given->transport) == 0);
}

// kivaloo#177, curl#3787 and others: a write that killed the process.
TEST_CASE("B44: a write to a closed peer is an error, not a SIGPIPE") {
  for (const bool pieces : {false, true}) {  // One buffer and several are two system calls.
    CAPTURE(pieces);
    const pid_t child = ::fork();
    if (child == 0) {
      ::signal(SIGPIPE, SIG_DFL);
      int fds[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) ::_exit(1);
      ::close(fds[1]);
      EventLoop loop;
      const auto recorder = std::make_shared<Recorder>();
      recorder->on_made = [&] {
        const std::string large(100'000, 'b');
        recorder->transport->pause_reading();
        if (pieces) {
          recorder->transport->writelines({"a", large});
        } else {
          recorder->transport->write(large);
        }
        recorder->transport->writelines({"c", "d"});
      };
      recorder->on_lost = [&] { loop.stop(); };
      detail::SocketTransport::start(loop, Socket(posix, fds[0]), recorder, Endpoint(), nullptr,
                                     {});
      loop.run_forever();
      ::_exit(describe(recorder->error) == "BrokenPipeError: [Errno 32] Broken pipe" ? 42 : 2);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 42);
  }
}

// TCP sends the signal, too, when a part is on its way: the call then says how much that was.
TEST_CASE("B44: a sendfile that breaks in the middle is a short count, not a SIGPIPE") {
  constexpr std::size_t bytes = 64 * 1024 * 1024;  // More than the buffers of a connection take.
  std::FILE* const file = std::tmpfile();
  REQUIRE(file != nullptr);
  REQUIRE(::ftruncate(::fileno(file), bytes) == 0);
  const Loopback net;
  auto [ours, peer] = net.connection();
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    peer.reset();
    const IoResult sent = posix.sendfile(ours.get(), ::fileno(file), 0, bytes);
    ::_exit(sent.ok() && sent.value < static_cast<std::ptrdiff_t>(bytes) ? 42 : 2);
  }
  wait_for_events(peer.get(), POLLIN);
  put_eof(peer);  // An end, and then a reset: only this order is EPIPE on the other side.
  peer.reset();
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK_FALSE(WIFSIGNALED(status));
  CHECK(WEXITSTATUS(status) == 42);
  std::fclose(file);
}

TEST_CASE("write: a megabyte arrives whole through the smallest send buffer there is") {
  const Loopback net;
  for (const char* poller : pollers) {
    CAPTURE(poller);
    RealLoop real(poller);
    std::string text(1 << 20, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31 % 251);
    auto [ours, theirs] = net.connection();
    const int smallest = 1;
    REQUIRE(::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest) == 0);
    const auto sender = real.start(std::move(ours));
    const auto receiver = real.start(std::move(theirs));
    const Future<> all_there = real.loop->create_future<void>();
    receiver->on_eof = [&] { all_there.set_result(); };
    sender->on_made = [&] {
      sender->transport->write(text);
      sender->transport->close();
    };
    real.loop->run_until_complete(all_there);
    CHECK((receiver->received == text));
    receiver->calm_down();
    sender->calm_down();
  }
}

// tcp(7), RFC 9293 3.10.4: close() with input unread is a reset, which throws away what is on its
// way.
TEST_CASE("B49: who says write_eof and closes at the peer's end has every byte arrive") {
  const Loopback net;
  const std::string response(1 << 20, 'r');
  const std::string question(100'000, 'q');
  for (const char* poller : pollers) {
    CAPTURE(poller);
    RealLoop real(poller);
    auto [ours, peer] = net.connection();
    const auto server = real.start(std::move(ours));
    server->on_made = [&] {
      server->transport->write(response);
      server->transport->write_eof();  // What it is asked meanwhile, it receives and throws away.
    };
    put(peer, question);
    std::string arrived(response.size() + 1, '?');
    std::size_t bytes = 0;
    bool asked_again = false;
    for (;;) {
      real.settle();
      wait_for_events(peer.get(), POLLIN);
      const ssize_t got =
          ::recv(peer.get(), arrived.data() + bytes, arrived.size() - bytes, MSG_DONTWAIT);
      REQUIRE(got >= 0);
      if (got == 0) break;
      bytes += static_cast<std::size_t>(got);
      if (!std::exchange(asked_again, true)) put(peer, question);
    }
    arrived.resize(bytes);
    CHECK((arrived == response));
    peer.reset();
    real.settle();
    CHECK(server->trace.ends_with("eof lost() "));
    CHECK(server->received.size() == 2 * question.size());
  }
}

TEST_CASE("create_connection: a given socket that blocks does not block the loop") {
  RealLoop real;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  const UniqueFd peer(posix, fds[1]);
  Socket given(real.calls, fds[0]);
  const auto factory = [] { return std::make_shared<Recorder>(); };
  const auto made = real.loop->run_until_complete(create_connection(factory, {.sock = &given}));
  made.transport->write(std::string(10'000'000, 'x'));
  CHECK(made.transport->get_write_buffer_size() > 1'000'000);
  real.settle();
  CHECK(made.protocol->trace == "made pause ");
}

TEST_CASE("create_connection: to a port that nobody listens on it is refused, by name") {
  RealLoop real;
  const UniqueFd taken(posix, ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
                                       0));  // Bound, so that nobody else listens.
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(taken.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const int port = ntohs(Loopback::address_of(taken.get()).sin_port);
  const auto factory = [] { return std::make_shared<Recorder>(); };
  CHECK(error_of([&] {
          real.loop->run_until_complete(create_connection(factory, "127.0.0.1", port));
        }) == "ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', " +
                  std::to_string(port) + ")");
  CHECK(error_of([&] {
          real.loop->run_until_complete(create_server(factory, "127.0.0.1", port));
        }) == "OSError: [Errno 98] error while attempting to bind on address ('127.0.0.1', " +
                  std::to_string(port) + "): address already in use");
}

TEST_CASE("echo: a round trip costs one wait, one recv and one send a side") {
  RealLoop real;
  const auto echo = [] {
    auto recorder = std::make_shared<Recorder>();
    recorder->on_data = [its = recorder.get()] {
      its->transport->write(its->received);
      its->received.clear();
      its->trace.clear();
    };
    return recorder;
  };
  const Server server = real.loop->run_until_complete(create_server(echo, "127.0.0.1", 0));
  const auto made = real.loop->run_until_complete(
      create_connection([] { return std::make_shared<Recorder>(); }, "127.0.0.1",
                        server.sockets()[0].getsockname().port()));
  const int trips = 1000;
  int left = 10;  // To warm up.
  const Future<> warm = real.loop->create_future<void>();
  const Future<> done = real.loop->create_future<void>();
  made.protocol->on_data = [&] {
    made.protocol->trace.clear();
    if (--left == 0) return warm.done() ? done.set_result() : warm.set_result();
    made.transport->write("ping");
  };
  made.transport->write("ping");
  real.loop->run_until_complete(warm);
  real.calls.reset();
  left = trips;
  made.transport->write("ping");
  real.loop->run_until_complete(done);
  CHECK(real.calls.count(Call::recv) == 2 * trips);
  CHECK(real.calls.count(Call::send) == 2 * trips);
  CHECK(real.calls.count(Call::poller_wait) <= 2 * trips + 10);
  CHECK(real.calls.count(Call::poller_set) == 0);
  made.protocol->calm_down();
}

TEST_CASE("B30: of two servers that share a port by reuse_port each gets connections") {
  RealLoop one;
  RealLoop other;
  int accepted[2] = {0, 0};
  const auto counting = [&](int which) {
    return [&accepted, which] {
      ++accepted[which];
      return std::make_shared<Recorder>();
    };
  };
  const Server first = one.loop->run_until_complete(
      create_server(counting(0), "127.0.0.1", 0, {.reuse_port = true}));
  const TransportSocket listener = first.sockets().at(0);
  const Server second = other.loop->run_until_complete(
      create_server(counting(1), "127.0.0.1", listener.getsockname().port(), {.reuse_port = true}));
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(Loopback::connect_to(Loopback::address_of(listener.fd())));
    one.settle();
    other.settle();
  }
  CHECK(accepted[0] + accepted[1] == 200);
  CHECK(accepted[0] > 40);  // The kernel throws a die for each.
  CHECK(accepted[1] > 40);
}

// muduo isSelfConnect: TCP's simultaneous open, with oneself.
TEST_CASE("B32: a connection that would have itself at the other end is refused") {
  RealLoop real;
  UniqueFd probe(posix, ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const std::uint16_t port = ntohs(Loopback::address_of(probe.get()).sin_port);
  probe.reset();
  const auto factory = [] { return std::make_shared<Recorder>(); };
  CHECK(error_of([&] {
          real.loop->run_until_complete(create_connection(
              factory, "127.0.0.1", port, {.local_addr = LocalAddress{"127.0.0.1", port}}));
        }) == "ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', " +
                  std::to_string(port) + ")");
}

TEST_SUITE_END();
