// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/net/server.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/net/net_loop.hpp>

using namespace weir;
using weir::test::error_of;
using weir::test::NetLoop;
using weir::test::Recorder;

namespace {

struct Creating : NetLoop {
  auto factory() {
    return [this] {
      protocols.push_back(std::make_shared<Recorder>());
      return protocols.back();
    };
  }
  Server create(const Hosts& host, Port port, const ServerOptions& options = {}) {
    return loop.run_until_complete(create_server(factory(), host, port, options));
  }
  std::string create_error(const Hosts& host, Port port, const ServerOptions& options = {}) {
    const std::string error = error_of([&] { create(host, port, options); });
    if (error != "nothing") CHECK(fds_of_ours().empty());
    return error;
  }
  static std::string names(const Server& server) {
    std::string text;
    for (const TransportSocket& socket : server.sockets())
      text += socket.getsockname().repr() + " ";
    return text;
  }

  std::vector<std::shared_ptr<Recorder>> protocols;
};

}  // namespace

TEST_SUITE_BEGIN("net/create_server");

// CPython: test_events.py EventLoopTestsMixin.test_create_server
TEST_CASE_FIXTURE(Creating,
                  "create_server: listens, and gives each connection a protocol of its own") {
  const Server server = create("127.0.0.1", 80);
  CHECK(server.is_serving());
  const int one = dial(80);
  const int other = dial(80);
  kernel.put(one, "1");
  kernel.put(other, "2");
  run();
  REQUIRE(protocols.size() == 2);
  CHECK(protocols[0]->trace == "made data(1) ");
  CHECK(protocols[1]->trace == "made data(2) ");
}

TEST_CASE_FIXTURE(Creating, "create_server: it listens when it returns, and one pass has gone by") {
  const auto create = [](Creating* its, std::uint64_t* passes) -> Coro<int> {
    const std::uint64_t before = its->loop.stats().passes;
    const Server server = co_await create_server(its->factory(), "127.0.0.1", 80);
    *passes = its->loop.stats().passes - before;
    co_return its->dial(80);
  };
  std::uint64_t passes = 0;
  CHECK(loop.run_until_complete(create(this, &passes)) >= 0);
  CHECK(passes == 1);
}

// CPython: test_base_events.py test_create_server_empty_host
TEST_CASE_FIXTURE(
    Creating, "create_server: an empty host is every interface, and port 0 the kernel's choice") {
  CHECK(names(create("", 0)) == "('0.0.0.0', 49152) ('::', 49152, 0, 0) ");
  CHECK(names(create({}, 80)) == "('0.0.0.0', 80) ('::', 80, 0, 0) ");
}

// gh-89856: asyncio gives each address a port of its own.
TEST_CASE_FIXTURE(Creating, "create_server: port 0 is one port, also if another family has it") {
  int error = 0;
  Socket taken = Socket::open(kernel, AF_INET6, SOCK_STREAM, 0, error);
  REQUIRE(taken.bind(*Endpoint::parse("::1", 49152)) == 0);
  const Server server = create({"127.0.0.1", "::1", "127.0.0.2"}, 0);
  CHECK(names(server) == "('127.0.0.1', 49153) ('::1', 49153, 0, 0) ('127.0.0.2', 49153) ");
}

TEST_CASE_FIXTURE(Creating, "create_server: when no port is free for all, the last clash is told") {
  int binds = 0;
  kernel.set_call_hook([&](Call call) {
    if (call == Call::bind && ++binds % 2 == 0) kernel.script(Call::bind, {.error = EADDRINUSE});
  });
  const std::string told = create_error({"127.0.0.1", "::1"}, 0);
  kernel.set_call_hook(nullptr);
  CHECK(told ==
        "OSError: [Errno 98] error while attempting to bind on address ('::1', 49167, 0, 0): "
        "address already in use");
  CHECK(binds == 32);
}

// CPython: test_events.py test_create_server_multiple_hosts_ipv4
TEST_CASE_FIXTURE(Creating, "create_server: several hosts are all bound, doubles once") {
  const Server server = create({"127.0.0.1", "::1", "localhost"}, 80);
  CHECK(names(server) == "('127.0.0.1', 80) ('::1', 80, 0, 0) ");
  const std::vector<std::string_view> list = {"127.0.0.3", "127.0.0.4"};
  CHECK(names(create(std::span<const std::string_view>(list), 80)) ==
        "('127.0.0.3', 80) ('127.0.0.4', 80) ");
}

TEST_CASE_FIXTURE(Creating, "create_server: with several hosts, one that is unknown is an error") {
  CHECK(create_error({"127.0.0.1", "b.example"}, 80) ==
        "GaiError: [Errno -2] Name or service not known");
  kernel.script(Call::getaddrinfo, {.value = 0});
  CHECK(create_error({"127.0.0.1", "a.example"}, 80) ==
        "OSError: getaddrinfo('a.example') returned empty list");
}

// Python's None would be a string at address 0.
TEST_CASE("Hosts: a null pointer is no host") {
  CHECK_FALSE(std::is_constructible_v<Hosts, std::nullptr_t>);
}

TEST_CASE_FIXTURE(Creating, "create_server: an empty list of hosts has nothing to bind") {
  CHECK(create_error(std::span<const std::string_view>(), 80) ==
        "OSError: could not bind on any address out of []");
}

TEST_CASE_FIXTURE(Creating, "create_server: reuse_port and keep_alive are off unless asked for") {
  const auto option = [](const Server& server, int which) {
    return server.sockets().at(0).getsockopt(SOL_SOCKET, which).value;
  };
  const Server plain = create("127.0.0.1", 80);
  CHECK(option(plain, SO_REUSEPORT) == 0);
  CHECK(option(plain, SO_KEEPALIVE) == 0);
  const Server asked = create("127.0.0.1", 81, {.reuse_port = true, .keep_alive = true});
  CHECK(option(asked, SO_REUSEPORT) == 1);
  CHECK(option(asked, SO_KEEPALIVE) == 1);
}

TEST_CASE_FIXTURE(Creating, "create_server: a system without reuse_port says so") {
  kernel.script(Call::setsockopt, {.error = ENOPROTOOPT});
  CHECK(create_error("127.0.0.1", 80, {.reuse_address = false, .reuse_port = true}) ==
        "ValueError: reuse_port not supported by socket module, SO_REUSEPORT defined but not "
        "implemented.");
}

TEST_CASE_FIXTURE(Creating,
                  "create_server: a name with several addresses is bound to all of them") {
  kernel.add_host("two.example", {"127.0.0.1", "127.0.0.2", "::1"});
  const Server server = create("two.example", 80);
  CHECK(names(server) == "('127.0.0.1', 80) ('127.0.0.2', 80) ('::1', 80, 0, 0) ");
}

// asyncio keeps them in a set; /etc/hosts with two lines for localhost gives doubles.
TEST_CASE_FIXTURE(Creating, "create_server: an address that is listed twice is bound once") {
  kernel.add_host("double.example", {"127.0.0.1", "::1", "127.0.0.1"});
  const Server server = create("double.example", 80);
  CHECK(names(server) == "('127.0.0.1', 80) ('::1', 80, 0, 0) ");
}

TEST_CASE_FIXTURE(Creating, "create_server: reuses addresses unless told not to") {
  const auto reuses = [](const Server& server) {
    return server.sockets().at(0).getsockopt(SOL_SOCKET, SO_REUSEADDR).value;
  };
  CHECK(reuses(create("127.0.0.1", 80)) == 1);
  CHECK(reuses(create("127.0.0.1", 81, {.reuse_address = false})) == 0);
}

// CPython: test_events.py EventLoopTestsMixin.test_create_server_dual_stack
TEST_CASE_FIXTURE(Creating, "create_server: an IPv6 listener leaves IPv4 to others") {
  const Server server = create("", 80);
  const std::vector<TransportSocket> sockets = server.sockets();
  REQUIRE(sockets.size() == 2);
  CHECK(sockets[0].getsockopt(IPPROTO_IPV6, IPV6_V6ONLY).value == 0);
  CHECK(sockets[1].getsockopt(IPPROTO_IPV6, IPV6_V6ONLY).value == 1);
}

TEST_CASE_FIXTURE(Creating, "create_server: only the family asked for is bound") {
  CHECK(names(create("", 80, {.family = AF_INET6})) == "('::', 80, 0, 0) ");
}

TEST_CASE_FIXTURE(
    Creating, "create_server: a system without a family serves the others, debug mode says so") {
  loop.set_debug(true);
  kernel.script(Call::socket, {.error = EAFNOSUPPORT});
  const Server server = create("", 80);
  loop.set_debug(false);
  CHECK(names(server) == "('::', 80, 0, 0) ");
  REQUIRE(logged.size() == 1);
  CHECK(logged[0] == "warning: create_server() failed to create a socket for ('0.0.0.0', 80)");
}

// ---- Not serving yet

TEST_CASE_FIXTURE(Creating,
                  "create_server: without start_serving it is bound, and refuses connections") {
  const Server server = create("127.0.0.1", 80, {.start_serving = false});
  CHECK_FALSE(server.is_serving());
  CHECK(names(server) == "('127.0.0.1', 80) ");
  CHECK(kernel.dial(80) == -1);
  loop.run_until_complete(server.start_serving());
  CHECK(server.is_serving());
  CHECK(dial(80) >= 0);
}

TEST_CASE_FIXTURE(Creating, "create_server: one that never served is closed with its last handle") {
  create("127.0.0.1", 80, {.start_serving = false});
  CHECK(fds_of_ours().empty());
}

// ---- Errors

// CPython: test_events.py EventLoopTestsMixin.test_create_server_addr_in_use
TEST_CASE_FIXTURE(
    Creating, "create_server: an address in use is named, and what was bound before is closed") {
  theirs(kernel.listen_on(80));
  CHECK(create_error("127.0.0.1", 80) ==
        "OSError: [Errno 98] error while attempting to bind on address ('127.0.0.1', 80): address "
        "already in use");
  kernel.add_host("two.example", {"127.0.0.2", "127.0.0.1"});
  CHECK(create_error("two.example", 80) ==
        "OSError: [Errno 98] error while attempting to bind on address ('127.0.0.1', 80): address "
        "already in use");
}

// CPython: test_base_events.py test_create_server_cant_bind
TEST_CASE_FIXTURE(Creating, "create_server: any other failure to bind is told the same way") {
  kernel.script(Call::bind, {.error = EACCES});
  CHECK(create_error("127.0.0.1", 80) ==
        "PermissionError: [Errno 13] error while attempting to bind on address ('127.0.0.1', 80): "
        "permission denied");
}

// CPython: bpo-30945
TEST_CASE_FIXTURE(Creating,
                  "create_server: an address that this machine does not have is passed over") {
  loop.set_debug(true);
  kernel.script(Call::bind, {.error = EADDRNOTAVAIL});
  const Server server = create("", 80);
  loop.set_debug(false);
  CHECK(names(server) == "('::', 80, 0, 0) ");
  CHECK(fds_of_ours().size() == 1);
  CHECK(logged == std::vector<std::string>{"warning: error while attempting to bind on address "
                                           "('0.0.0.0', 80): cannot assign requested address"});
}

TEST_CASE_FIXTURE(Creating,
                  "create_server: when nothing could be bound, all that was tried is named") {
  kernel.fail_always(Call::bind, EADDRNOTAVAIL);
  CHECK(create_error("", 80) ==
        "OSError: could not bind on any address out of [('0.0.0.0', 80), ('::', 80, 0, 0)]");
  kernel.clear(Call::bind);
}

TEST_CASE_FIXTURE(
    Creating, "create_server: out of descriptors is an error, not a server with fewer sockets") {
  kernel.set_max_fds(kernel.open_fds().size() + 1);
  CHECK(create_error("", 80) == "OSError: [Errno 24] Too many open files");
  kernel.set_max_fds(0);
}

TEST_CASE_FIXTURE(Creating, "create_server: a listen that fails closes everything") {
  kernel.script(Call::listen, {.error = EADDRINUSE});
  CHECK(create_error("", 80) == "OSError: [Errno 98] Address already in use");
  kernel.script(Call::poller_set, {.error = ENOSPC});
  CHECK(create_error("", 80) == "OSError: [Errno 28] No space left on device");
}

// CPython: test_base_events.py test_create_server_no_getaddrinfo
TEST_CASE_FIXTURE(Creating, "create_server: a host without addresses is named as Python names it") {
  kernel.script(Call::getaddrinfo, {.value = 0});
  CHECK(create_error("a.example", 80) == "OSError: getaddrinfo('a.example') returned empty list");
  kernel.script(Call::getaddrinfo, {.value = 0});
  CHECK(create_error("", 80) == "OSError: getaddrinfo(None) returned empty list");
  CHECK(create_error("b.example", 80) == "GaiError: [Errno -2] Name or service not known");
}

// CPython: test_base_events.py test_create_server_host_port_sock, ..._no_host_port_sock,
// ..._wrong_sock
TEST_CASE_FIXTURE(Creating, "create_server: contradictory or impossible arguments are refused") {
  Socket none;
  const auto inside = [&](const ServerOptions& options) {
    return error_of([&] {
      const auto create = [](Creating* its, const ServerOptions* given) -> Coro<> {
        const Server server = co_await create_server(its->factory(), *given);
      };
      loop.run_until_complete(create(this, &options));
    });
  };
  CHECK(create_error("127.0.0.1", 80, {.sock = &none}) ==
        "ValueError: host/port and sock can not be specified at the same time");
  CHECK(inside({}) == "ValueError: Neither host/port nor sock were specified");
  CHECK(inside({.sock = &none}) ==
        "ValueError: A Stream Socket was expected, got <Socket fd=-1, family=0, type=0, proto=0>");
  CHECK(create_error("127.0.0.1", 80, {.backlog = -1}) ==
        "ValueError: backlog must be >= 0, not -1");
}

TEST_CASE_FIXTURE(Creating, "create_server: a backlog of 0 still accepts") {
  const Server server = create("127.0.0.1", 80, {.backlog = 0});
  dial(80);
  dial(80);
  run();
  CHECK(protocols.size() == 2);
}

// ---- A given socket

// CPython: test_events.py EventLoopTestsMixin.test_create_server_sock
TEST_CASE_FIXTURE(Creating,
                  "create_server: over a given socket, which it takes and makes non-blocking") {
  int error = 0;
  Socket bound = Socket::open(calls, AF_INET, SOCK_STREAM, 0, error);
  REQUIRE(bound.bind(*Endpoint::parse("127.0.0.1", 80)) == 0);
  const auto create = [](Creating* its, Socket* given) -> Coro<Server> {
    // Adopted by number, as a socket that somebody else has made.
    co_return co_await create_server(its->factory(), ServerOptions{.sock = given});
  };
  const Server server = loop.run_until_complete(create(this, &bound));
  CHECK_FALSE(bound.valid());
  CHECK(names(server) == "('127.0.0.1', 80) ");
  dial(80);
  run();
  CHECK(protocols.size() == 1);
}

// ---- Cancelling

TEST_CASE_FIXTURE(Creating,
                  "create_server: cancelled in any of its first passes, it leaves no listener") {
  int cancelled = 0;
  int completed = 0;
  for (int passes = 0; passes < 10; ++passes) {
    CAPTURE(passes);
    const auto task = loop.create_task(create_server(factory(), "localhost", 80));
    for (int i = 0; i < passes; ++i) pass();
    task.cancel();
    run();
    REQUIRE(task.done());
    task.cancelled() ? ++cancelled : ++completed;
    if (!task.cancelled()) task.result().close();
    CHECK(fds_of_ours().empty());
  }
  CHECK(cancelled > 1);
  CHECK(completed > 1);
}

TEST_CASE_FIXTURE(Creating, "create_server: a loop that closes meanwhile leaves no listener") {
  kernel.set_jobs_per_wait(0);
  const auto task = loop.create_task(create_server(factory(), "localhost", 80));
  run();
  loop.close();
  CHECK(task.cancelled());
  CHECK(fds_of_ours().empty());
}

TEST_CASE_FIXTURE(Creating, "create_server: port 0 is an error if the system does not tell which") {
  kernel.script(Call::getsockname, {.error = ENOBUFS});
  CHECK(create_error({"127.0.0.1", "::1"}, 0) ==
        "OSError: could not find out which port the system has chosen");
}

TEST_SUITE_END();
