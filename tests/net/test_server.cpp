// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <weir/net/server.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/net/serving.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::error_of;
using weir::test::Recorder;
using weir::test::Serving;

TEST_SUITE_BEGIN("net/server");

// ---- What it says about itself

TEST_CASE_FIXTURE(Serving, "Server: sockets, is_serving and repr, before and after the close") {
  const Server server = serve();
  const std::vector<TransportSocket> sockets = server.sockets();
  REQUIRE(sockets.size() == 1);
  CHECK(sockets[0].getsockname().repr() == "('127.0.0.1', 80)");
  CHECK(server.is_serving());
  CHECK(server.repr() == "<Server sockets=('127.0.0.1', 80)>");
  server.close();
  CHECK(server.sockets().empty());
  CHECK(sockets[0].fd() == -1);
  CHECK_FALSE(server.is_serving());
  CHECK(server.repr() == "<Server sockets=()>");
}

TEST_CASE_FIXTURE(Serving, "Server: its connections know both their names") {
  const Server server = serve();
  client();
  REQUIRE(protocols.size() == 1);
  Transport& transport = *protocols[0]->transport;
  CHECK(transport.get_extra_info("sockname").endpoint()->repr() == "('127.0.0.1', 80)");
  CHECK(transport.get_extra_info("peername").endpoint()->repr() == "('127.0.0.1', 49152)");
}

TEST_CASE_FIXTURE(Serving, "add_reader: a listener's descriptor is refused") {
  const Server server = serve();
  const int fd = server.sockets()[0].fd();
  CHECK(error_of([&] { loop.add_reader(fd, [] {}); })
            .starts_with("RuntimeError: File descriptor " + std::to_string(fd) +
                         " is used by transport <listener "));
}

// ---- start_serving, close

TEST_CASE_FIXTURE(Serving,
                  "start_serving: twice is once; after a close it is refused, and nothing serves") {
  const Server server = serve();
  calls.reset();
  loop.run_until_complete(server.start_serving());
  CHECK(calls.count(Call::listen) == 0);
  server.close();
  CHECK(error_of([&] { loop.run_until_complete(server.start_serving()); }) ==
        "RuntimeError: server <Server sockets=()> is closed");
  CHECK_FALSE(server.is_serving());
}

TEST_CASE_FIXTURE(
    Serving, "start_serving: a listen that fails leaves the server as it was, to be tried again") {
  const Server server = serve({.start_serving = false});
  kernel.script(Call::listen, {.error = EADDRINUSE});
  CHECK(error_of([&] { loop.run_until_complete(server.start_serving()); }) ==
        "OSError: [Errno 98] Address already in use");
  CHECK_FALSE(server.is_serving());
  loop.run_until_complete(server.start_serving());
  CHECK(reachable());
}

TEST_CASE_FIXTURE(
    Serving, "start_serving: when the second listener fails, the first does not listen alone") {
  kernel.add_host("two.example", {"127.0.0.1", "::1"});
  const Server server = serve({.start_serving = false}, "two.example");
  kernel.script(Call::poller_set, {.value = 0});  // The first one goes well.
  kernel.script(Call::poller_set, {.error = ENOSPC});
  CHECK(error_of([&] { loop.run_until_complete(server.start_serving()); }) ==
        "OSError: [Errno 28] No space left on device");
  CHECK_FALSE(server.is_serving());
  const int first = server.sockets()[0].fd();
  loop.add_reader(first, [] {});  // Nobody's: it is not refused.
  CHECK(loop.remove_reader(first));
  loop.run_until_complete(server.start_serving());
  CHECK(reachable());
}

TEST_CASE_FIXTURE(Serving, "start_serving, close: who watched the socket meanwhile is let go") {
  const auto watching = std::make_shared<int>(0);
  const Server server = serve({.start_serving = false});
  const int fd = server.sockets()[0].fd();
  loop.add_reader(fd, [watching] {});
  loop.add_writer(fd, [watching] {});
  SUBCASE("start_serving") { loop.run_until_complete(server.start_serving()); }
  SUBCASE("close") { server.close(); }
  CHECK(watching.use_count() == 1);
}

TEST_CASE_FIXTURE(
    Serving,
    "close: stops listening at once, as often as one likes, and leaves connections alone") {
  const Server server = serve();
  const int fd = client();
  server.close();
  server.close();
  CHECK_FALSE(reachable());
  kernel.put(fd, "data");
  run();
  CHECK(protocols.at(0)->trace == "made data(data) ");
}

TEST_CASE_FIXTURE(Serving, "close: clients that nobody has accepted yet are reset, not forgotten") {
  const Server server = serve();
  const int fd = dial(port);
  server.close();
  run();
  CHECK(kernel.at_eof(fd));
  CHECK(protocols.empty());
}

TEST_CASE_FIXTURE(Serving, "Server: a dropped handle goes on serving, until the loop closes") {
  serve();
  CHECK(reachable());
  CHECK(reachable());
  loop.close();
  CHECK(kernel.dial(port) == -1);
}

TEST_CASE_FIXTURE(Serving, "Server: one that never served may outlive its loop") {
  FakeKernel other_kernel;
  std::optional<EventLoop> other_loop(std::in_place, other_kernel);
  const Server server = other_loop->run_until_complete(
      create_server(factory(), "127.0.0.1", port, {.start_serving = false}));
  other_loop->close();
  other_loop.reset();
  CHECK(server.sockets().size() == 1);
  server.close();
  CHECK(other_kernel.open_fds().empty());
}

// ---- wait_closed

// CPython: test_server.py TestServer2.test_wait_closed_basic
TEST_CASE_FIXTURE(
    Serving,
    "wait_closed: returns when the server is closed and the last client is gone, in this order") {
  const Server server = serve();
  const int fd = client();
  const auto early = loop.create_task(server.wait_closed());
  run();
  CHECK_FALSE(early.done());
  server.close();
  const auto late = loop.create_task(server.wait_closed());
  run();
  CHECK_FALSE(early.done());
  CHECK_FALSE(late.done());
  kernel.put_eof(fd);
  run();
  CHECK(early.done());
  CHECK(late.done());
  loop.run_until_complete(server.wait_closed());
}

TEST_CASE_FIXTURE(Serving, "wait_closed: or in the other order") {
  const Server server = serve();
  const int fd = client();
  const auto waiting = loop.create_task(server.wait_closed());
  kernel.put_eof(fd);
  run();
  CHECK_FALSE(waiting.done());
  server.close();
  run();
  CHECK(waiting.done());
}

// CPython: test_server.py TestServer2.test_wait_closed_race
TEST_CASE_FIXTURE(Serving, "wait_closed: the server may close and the client go in one pass") {
  const Server server = serve();
  client();
  const auto waiting = loop.create_task(server.wait_closed());
  in_loop([&] {
    protocols.at(0)->transport->close();
    server.close();
  });
  CHECK(waiting.done());
}

TEST_CASE_FIXTURE(Serving, "wait_closed: cancelling one wait leaves the others") {
  const Server server = serve();
  const auto one = loop.create_task(server.wait_closed());
  const auto other = loop.create_task(server.wait_closed());
  run();
  one.cancel();
  run();
  CHECK(one.cancelled());
  CHECK_FALSE(other.done());
  server.close();
  run();
  CHECK(other.done());
}

TEST_CASE_FIXTURE(Serving, "wait_closed: a time-out ends the wait, not the server") {
  const Server server = serve();
  for (int i = 0; i < 3; ++i) {
    CHECK(error_of([&] { loop.run_until_complete(wait_for(server.wait_closed(), 1ms)); }) ==
          "TimeoutError");
  }
  CHECK(server.is_serving());
  server.close();
  CHECK(error_of([&] { loop.run_until_complete(wait_for(server.wait_closed(), 1ms)); }) ==
        "nothing");
}

TEST_CASE_FIXTURE(
    Serving,
    "wait_closed: a connection that waits in the factory while the server closes is waited for") {
  const Server server = serve();
  on_connect = [&](Recorder&) { server.close(); };
  const auto waiting = loop.create_task(server.wait_closed());
  const int fd = client();
  CHECK_FALSE(waiting.done());
  CHECK(protocols.at(0)->trace == "made ");
  kernel.put_eof(fd);
  run();
  CHECK(waiting.done());
}

// ---- close_clients, abort_clients

// CPython: test_server.py TestServer2.test_close_clients
TEST_CASE_FIXTURE(
    Serving, "close_clients: every connection sends what it has, then ends; the server goes on") {
  const Server server = serve();
  const int one = client();
  const int other = client();
  protocols.at(0)->transport->write("goodbye");
  in_loop([&] { server.close_clients(); });
  CHECK(kernel.take(one) == "goodbye");
  CHECK(kernel.at_eof(one));
  CHECK(kernel.at_eof(other));
  CHECK(protocols.at(1)->trace == "made lost() ");
  CHECK(reachable());
}

// CPython: test_server.py TestServer2.test_abort_clients
TEST_CASE_FIXTURE(Serving, "abort_clients: does not wait for a client that reads nothing") {
  const Server server = serve();
  client();
  Transport& transport = *protocols.at(0)->transport;
  in_loop([&] { transport.write(std::string(200'000, 'x')); });
  server.close();
  server.close_clients();
  run(1h);
  CHECK(protocols[0]->trace == "made pause ");
  server.abort_clients();
  run();
  CHECK(protocols[0]->trace == "made pause lost() ");
}

TEST_CASE_FIXTURE(Serving,
                  "close_clients: a connection that was accepted but not yet made is one of them") {
  const Server server = serve();
  for (const bool abort : {false, true}) {
    protocols.clear();
    on_connect = [&](Recorder&) {
      loop.call_soon([&] { abort ? server.abort_clients() : server.close_clients(); });
    };
    client();
    CHECK(protocols.at(0)->trace == "made lost() ");
  }
}

TEST_CASE_FIXTURE(Serving,
                  "close_clients: goes by descriptor, and leaves other connections alone") {
  const Server server = serve();
  for (int i = 0; i < 3; ++i) client();
  const Server other = loop.run_until_complete(create_server(factory(), "127.0.0.1", port + 1));
  dial(port + 1);
  run();
  std::string order;
  for (std::size_t i = 0; i < protocols.size(); ++i) {
    protocols[i]->on_lost = [&order, i] { order += std::to_string(i); };
  }
  REQUIRE(protocols.size() == 4);
  in_loop([&] { server.close_clients(); });
  CHECK(order == "012");
  CHECK(protocols[3]->trace == "made ");
}

TEST_CASE_FIXTURE(Serving, "close_clients: connections may end others while they end") {
  const Server server = serve();
  for (int i = 0; i < 5; ++i) client();
  for (const auto& protocol : protocols) protocol->on_lost = [&] { server.abort_clients(); };
  in_loop([&] {
    server.close();
    server.close_clients();
  });
  for (const auto& protocol : protocols) CHECK(protocol->trace == "made lost() ");
}

// ---- serve_forever

TEST_CASE_FIXTURE(Serving, "serve_forever: starts serving, and goes on until it is cancelled") {
  const Server server = serve({.start_serving = false});
  const auto serving = loop.create_task(server.serve_forever());
  run();
  CHECK(server.is_serving());
  CHECK(reachable());
  run(1h);
  CHECK_FALSE(serving.done());
  serving.cancel();
  run();
  CHECK(serving.cancelled());
  CHECK_FALSE(server.is_serving());
}

TEST_CASE_FIXTURE(Serving, "serve_forever: a second one, or one after the close, is refused") {
  const Server server = serve();
  const auto serving = loop.create_task(server.serve_forever());
  run();
  CHECK(error_of([&] { loop.run_until_complete(server.serve_forever()); }) ==
        "RuntimeError: server <Server sockets=('127.0.0.1', 80)> is already being awaited on "
        "serve_forever()");
  CHECK_FALSE(serving.done());
  server.close();
  run();
  CHECK(error_of([&] { loop.run_until_complete(server.serve_forever()); }) ==
        "RuntimeError: server <Server sockets=()> is closed");
}

TEST_CASE_FIXTURE(
    Serving,
    "serve_forever: close() ends it with CancelledError, clients left alone and waited for") {
  const Server server = serve();
  const int fd = client();
  const auto serving = loop.create_task(server.serve_forever());
  run();
  server.close();
  run(1h);
  CHECK_FALSE(serving.done());
  CHECK(protocols.at(0)->trace == "made ");
  kernel.put_eof(fd);
  run();
  CHECK(serving.cancelled());
}

TEST_CASE_FIXTURE(Serving,
                  "serve_forever: cancelled, it closes its clients, and ends when they are gone") {
  const Server server = serve();
  client();
  client();
  const auto serving = loop.create_task(server.serve_forever());
  run();
  serving.cancel();
  run();
  CHECK(serving.cancelled());
  CHECK(protocols.at(0)->trace == "made lost() ");
  CHECK(protocols.at(1)->trace == "made lost() ");
}

TEST_CASE_FIXTURE(
    Serving,
    "serve_forever: cancelled, a client that reads nothing is aborted after the grace period") {
  for (const Duration grace : {Duration(1s), Duration(5s), Duration(0s)}) {
    CAPTURE(grace.count());
    protocols.clear();
    const Server server = serve();
    const int fd = client();
    in_loop([&] { protocols.at(0)->transport->write(std::string(200'000, 'x')); });
    const auto serving = grace == Duration(1s)
                             ? loop.create_task(server.serve_forever())
                             : loop.create_task(server.serve_forever({.grace = grace}));
    run();
    const TimePoint start = loop.time();
    serving.cancel();
    const std::string error = error_of([&] { loop.run_until_complete(serving); });
    CHECK(error.starts_with("CancelledError"));
    CHECK(loop.time() - start == grace);
    CHECK(protocols.at(0)->trace == "made pause lost() ");
    kernel.take(fd);
  }
}

TEST_CASE_FIXTURE(Serving,
                  "serve_forever: cancelled a second time, it does not wait for the grace period") {
  const Server server = serve();
  client();
  in_loop([&] { protocols.at(0)->transport->write(std::string(200'000, 'x')); });
  const auto serving = loop.create_task(server.serve_forever());
  run();
  const TimePoint start = loop.time();
  serving.cancel();
  loop.call_later(100ms, [&] { serving.cancel(); });
  CHECK(error_of([&] { loop.run_until_complete(serving); }).starts_with("CancelledError"));
  CHECK(loop.time() - start == 100ms);
  CHECK(protocols.at(0)->trace == "made pause lost() ");
}

TEST_CASE_FIXTURE(Serving,
                  "serve_forever: a loop that closes ends it, its clients and its listeners") {
  const Server server = serve();
  client();
  const auto serving = loop.create_task(server.serve_forever());
  run();
  loop.close();
  CHECK(serving.cancelled());
  CHECK(protocols.at(0)->trace == "made lost() ");
  CHECK_FALSE(server.is_serving());
}

// ---- What happens while accepting

// libevent a695a720, seastar e9d984fed: the listener goes away in the callback of its own batch.
TEST_CASE_FIXTURE(Serving,
                  "B28: the server may close inside the factory, at any place in the batch") {
  for (std::size_t place = 1; place <= 5; ++place) {
    for (const bool keep_handle : {true, false}) {
      CAPTURE(place);
      CAPTURE(keep_handle);
      protocols.clear();
      std::optional<Server> server = serve();
      on_connect = [&](Recorder&) {
        if (protocols.size() != place) return;
        server->close();
        if (!keep_handle) server.reset();
      };
      std::vector<int> clients;
      for (int i = 0; i < 5; ++i) clients.push_back(dial(port));
      run();
      CHECK(protocols.size() == place);
      for (const auto& protocol : protocols) CHECK(protocol->trace == "made ");
      for (std::size_t i = 0; i < clients.size(); ++i) {
        CHECK(kernel.at_eof(clients[i]) == (i >= place));
        hang_up(clients[i]);
      }
      run();
      CHECK(fds_of_ours().empty());
    }
  }
}

TEST_CASE_FIXTURE(Serving, "B28: the server may close inside connection_made") {
  const Server server = serve();
  on_connect = [&](Recorder& protocol) { protocol.on_made = [&] { server.close(); }; };
  const int one = dial(port);
  const int other = dial(port);
  run();
  kernel.put(one, "1");
  kernel.put(other, "2");
  run();
  CHECK(protocols.at(0)->trace == "made data(1) ");
  CHECK(protocols.at(1)->trace == "made data(2) ");
}

// gh-155934, gh-153133: a socket that leaked when the factory failed.
TEST_CASE_FIXTURE(Serving,
                  "accept: a factory that throws is reported, and costs its own connection only") {
  const Server server = serve();
  on_connect = [&](Recorder&) {
    if (protocols.size() == 2) throw RuntimeError("not you");
  };
  std::vector<int> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(dial(port));
  run();
  CHECK(take_report() ==
        "Error on transport creation for incoming connection: RuntimeError: not you");
  CHECK(protocols.at(0)->trace == "made ");
  CHECK(protocols.at(2)->trace == "made ");
  CHECK(kernel.at_eof(clients[1]));
  CHECK_FALSE(kernel.at_eof(clients[0]));
}

TEST_CASE_FIXTURE(Serving,
                  "accept: a factory that gives nothing is reported, and the socket closed") {
  const Server server = loop.run_until_complete(
      create_server([] { return std::shared_ptr<Recorder>(); }, "127.0.0.1", port));
  const int fd = client();
  CHECK(take_report() ==
        "Error on transport creation for incoming connection: "
        "ValueError: a protocol was expected, got None");
  CHECK(kernel.at_eof(fd));
}

TEST_CASE_FIXTURE(Serving, "accept: Ctrl-C in the factory goes through, and the listener goes on") {
  const Server server = serve();
  on_connect = [](Recorder&) { throw KeyboardInterrupt(); };
  const int one = dial(port);
  dial(port);
  CHECK(error_of([&] { run(); }) == "KeyboardInterrupt");
  CHECK(kernel.at_eof(one));
  on_connect = nullptr;
  run();
  CHECK(protocols.size() == 2);
  CHECK(protocols.at(1)->trace == "made ");
}

// The kernel completes a connection, and its reset, without us.
TEST_CASE_FIXTURE(Serving, "accept: a client that is gone by then is heard to the end") {
  const Server server = serve();
  const int fd = dial(port);
  kernel.put(fd, "last words");
  kernel.reset(fd);
  run();
  CHECK(protocols.at(0)->trace ==
        "made data(last words) lost([Errno 104] Connection reset by peer) ");
}

TEST_CASE_FIXTURE(
    Serving,
    "B21: a flood of connections is taken a backlog at a time, others are served in between") {
  const Server server = serve({.backlog = 10});
  const int first = client();
  std::string order;
  protocols.at(0)->on_data = [&] { order += std::to_string(protocols.size()); };
  for (int i = 0; i < 25; ++i) dial(port);
  kernel.put(first, "x");
  calls.reset();
  run();
  CHECK(order == "11");
  CHECK(protocols.size() == 26);
  CHECK(calls.count(Call::accept) == 26);  // 10, 10, 5, and one that found nothing.
}

// listen(1) completes connections that nobody has accepted: a backlog is no limit.
TEST_CASE_FIXTURE(Serving,
                  "B31: a server counts its clients exactly, and its factory may set a limit") {
  std::mt19937 random(7);
  int active = 0;
  on_connect = [&](Recorder& its) {
    its.on_made = [&] {
      if (++active > 3) its.transport->abort();
    };
    its.on_lost = [&] { --active; };
  };
  const Server server = serve();
  std::vector<int> clients;
  bool within = true;
  for (int step = 0; step < 300; ++step) {
    if (clients.empty() || random() % 2 == 0) {
      clients.push_back(client());
    } else {
      const std::size_t i = random() % clients.size();
      hang_up(clients[i]);
      clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i));
      run();
    }
    within = within && active <= 3;
  }
  CHECK(within);
  REQUIRE(active > 0);
  server.close();
  const auto closed = loop.create_task(server.wait_closed());
  run();
  CHECK_FALSE(closed.done());
  for (const int fd : clients) hang_up(fd);
  run();
  CHECK(active == 0);
  CHECK(closed.done());
}

TEST_SUITE_END();
