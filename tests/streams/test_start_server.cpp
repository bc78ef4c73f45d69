// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/net/protocol.hpp>
#include <weir/net/server.hpp>
#include <weir/net/socket.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/streams/open_connection.hpp>
#include <weir/streams/start_server.hpp>

#include <tests/streams/stream_fixture.hpp>
#include <tests/streams/stream_loop.hpp>

using weir::Coro;
using weir::ExceptionContext;
using weir::Server;
using weir::Socket;
using weir::start_server;
using weir::StreamReader;
using weir::Streams;
using weir::StreamWriter;
using weir::Task;
using weir::test::StreamLoop;
using weir::test::unused;

namespace {

constexpr int port = 8888;

/// Answers every line with itself, until the client ends.
Coro<> echo(StreamReader reader, StreamWriter writer) {
  while (const std::optional<std::string> line = co_await reader.next_line()) {
    writer.write(*line);
    co_await writer.drain();
  }
}

Coro<> throws_on_a_line(StreamReader reader, StreamWriter) {
  const std::string line = co_await reader.readline();
  throw std::runtime_error(line);
}

Coro<> returns_at_once(StreamReader, StreamWriter) { co_return; }

struct Serving : StreamLoop {
  Server serve(weir::ClientConnected client, const weir::StartServerOptions& options = {}) {
    return loop.run_until_complete(start_server(std::move(client), "127.0.0.1", port, options));
  }
  int dial() {
    const int client = kernel.dial(port);
    REQUIRE(client >= 0);
    turn();
    return client;
  }
  std::string ask(int client, std::string_view question) {
    kernel.put(client, question);
    turn();
    return kernel.take(client);
  }
};

/// A whole conversation over the loopback interface: what the client got.
Coro<std::string> converse(Server server) {
  const std::uint16_t its_port = server.sockets()[0].getsockname().port();
  Streams streams = co_await weir::open_connection("127.0.0.1", its_port);
  std::string all;
  for (int i = 0; i < 3; ++i) {
    streams.writer.write("line " + std::to_string(i) + "\n");
    co_await streams.writer.drain();
    all += co_await streams.reader.readline();
  }
  streams.writer.write_eof();
  all += co_await streams.reader.read();
  streams.writer.close();
  co_await streams.writer.wait_closed();
  server.close();
  co_await server.wait_closed();
  co_return all + (streams.reader.at_eof() ? "end" : "");
}

/// More than the kernel's buffers hold, so that both sides wait for each other.
Coro<std::size_t> converse_at_length(Server server, std::size_t bytes) {
  const std::uint16_t its_port = server.sockets()[0].getsockname().port();
  Streams streams = co_await weir::open_connection("127.0.0.1", its_port);
  const std::string line = std::string(bytes - 1, 'x') + "\n";
  streams.writer.write(line);
  const std::string answer =
      co_await streams.reader.readexactly(static_cast<std::ptrdiff_t>(bytes));
  streams.writer.close();
  server.close();
  co_return answer == line ? answer.size() : 0;
}

}  // namespace

TEST_SUITE("streams/start_server") {
  // CPython: test_streams.py test_start_server
  TEST_CASE_FIXTURE(Serving, "start_server: serves each client with a task of its own") {
    const Server server = serve(echo);
    const int first = dial();
    const int second = dial();
    CHECK(ask(second, "two\n") == "two\n");
    CHECK(ask(first, "one\ntwo\n") == "one\ntwo\n");
    kernel.put_eof(first);
    turn();
    CHECK(kernel.at_eof(first));
    CHECK_FALSE(kernel.at_eof(second));
  }

  TEST_CASE_FIXTURE(Serving, "start_server: a line in two pieces gets one answer") {
    const Server server = serve(echo);
    const int client = dial();
    CHECK(ask(client, "hel") == "");
    CHECK(ask(client, "lo\nrest") == "hello\n");
  }

  TEST_CASE_FIXTURE(Serving, "start_server: a client that is there already is not lost") {
    const Server server = serve(echo);
    const int client = kernel.dial(port);
    CHECK(ask(client, "early\n") == "early\n");
  }

  TEST_CASE_FIXTURE(Serving, "start_server: a handler that returns ends its connection") {
    const Server server = serve(returns_at_once);
    CHECK(kernel.at_eof(dial()));
  }

  TEST_CASE_FIXTURE(Serving, "start_server: a handler that throws costs its own connection only") {
    const Server server = serve(throws_on_a_line);
    const int unlucky = dial();
    const int other = dial();
    ask(unlucky, "boom\n");
    CHECK(kernel.at_eof(unlucky));
    CHECK_FALSE(kernel.at_eof(other));
    const std::vector<ExceptionContext> reports = take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "Unhandled exception in client_connected_cb");
  }

  TEST_CASE_FIXTURE(Serving, "start_server: a plain callback may keep the streams") {
    std::vector<Streams> kept;
    const auto keep = [&](StreamReader reader, StreamWriter writer) {
      kept.emplace_back(std::move(reader), std::move(writer));
    };
    const Server server = serve(keep);
    const int client = dial();
    REQUIRE(kept.size() == 1);
    kept[0].writer.write("hello");
    turn();
    CHECK(kernel.take(client) == "hello");
    CHECK_FALSE(kernel.at_eof(client));
    kept.clear();
    turn();
    CHECK(kernel.at_eof(client));
  }

  TEST_CASE_FIXTURE(Serving, "start_server: every client's reader has the limit") {
    std::vector<std::size_t> limits;
    const auto look = [&](StreamReader reader, StreamWriter) { limits.push_back(reader.limit()); };
    const Server server = serve(look, {.limit = 123});
    dial();
    dial();
    CHECK(limits == std::vector<std::size_t>{123, 123});
  }

  // asyncio starts such a server, and drops each client silently.
  TEST_CASE_FIXTURE(Serving, "start_server: a bad limit is told at once") {
    CHECK_THROWS_WITH_AS(unused(start_server(echo, "127.0.0.1", port, {.limit = 0})),
                         "Limit cannot be <= 0", weir::ValueError);
    weir::Socket none;
    CHECK_THROWS_WITH_AS(unused(start_server(echo, {.limit = -5, .sock = &none})),
                         "Limit cannot be <= 0", weir::ValueError);
    CHECK(kernel.open_fds().empty());
  }

  TEST_CASE_FIXTURE(Serving, "start_server: a port that is none is refused") {
    CHECK_THROWS_WITH_AS(unused(start_server(echo, "127.0.0.1", 70000)),
                         "port must be 0-65535, not 70000", weir::ValueError);
  }

  TEST_CASE_FIXTURE(Serving, "start_server: an address and a socket exclude each other") {
    weir::Socket sock;
    CHECK_THROWS_WITH_AS(unused(start_server(echo, "127.0.0.1", port, {.sock = &sock})),
                         "host/port and sock can not be specified at the same time",
                         weir::ValueError);
    CHECK_THROWS_WITH_AS(unused(start_server(echo, weir::StartServerOptions{})),
                         "Neither host/port nor sock were specified", weir::ValueError);
  }

  TEST_CASE_FIXTURE(Serving, "start_server: an address that is taken is said with its name") {
    kernel.listen_on(port);
    const std::size_t before = kernel.open_fds().size();
    CHECK_THROWS_WITH_AS(serve(echo),
                         "[Errno 98] error while attempting to bind on address ('127.0.0.1', "
                         "8888): address already in use",
                         weir::OSError);
    CHECK(kernel.open_fds().size() == before);
  }

  TEST_CASE_FIXTURE(Serving, "start_server: a host that is none is GaiError") {
    CHECK_THROWS_WITH_AS(loop.run_until_complete(start_server(echo, "nowhere.invalid", port)),
                         "[Errno -2] Name or service not known", weir::GaiError);
  }

  TEST_CASE_FIXTURE(Serving, "start_server: a resolver that finds nothing says so") {
    kernel.script(weir::Call::getaddrinfo, {.value = 0, .error = 0});
    CHECK_THROWS_WITH_AS(loop.run_until_complete(start_server(echo, "localhost", port)),
                         "getaddrinfo('localhost') returned empty list", weir::OSError);
  }

  TEST_CASE_FIXTURE(Serving, "start_server: with no address to bind it names those it tried") {
    kernel.script(weir::Call::bind, {.error = EADDRNOTAVAIL});
    CHECK_THROWS_WITH_AS(serve(echo), "could not bind on any address out of [('127.0.0.1', 8888)]",
                         weir::OSError);
    CHECK(kernel.open_fds().empty());
  }

  TEST_CASE_FIXTURE(Serving, "start_server: a socket that is no stream socket is refused") {
    Socket none;
    const auto start = [](Socket* its) -> Coro<> {
      const weir::StartServerOptions options{.sock = its};
      co_await start_server(echo, options);
    };
    CHECK_THROWS_WITH_AS(loop.run_until_complete(start(&none)),
                         "A Stream Socket was expected, got <Socket fd=-1, family=0, type=0, "
                         "proto=0>",
                         weir::ValueError);
  }

  TEST_CASE_FIXTURE(Serving, "start_server: takes a bound socket instead of an address") {
    int error = 0;
    Socket sock = Socket::open(kernel, AF_INET, SOCK_STREAM, 0, error);
    REQUIRE(error == 0);
    REQUIRE(sock.bind(*weir::Endpoint::parse("127.0.0.1", port)) == 0);
    const auto start = [](Socket* its) -> Coro<Server> {
      const weir::StartServerOptions options{.sock = its};
      Server server = co_await start_server(echo, options);
      co_return server;
    };
    const Server server = loop.run_until_complete(start(&sock));
    CHECK(server.is_serving());
    CHECK_FALSE(sock.valid());
    CHECK(ask(dial(), "x\n") == "x\n");
  }

  TEST_CASE_FIXTURE(Serving, "start_server: not started, it serves once start_serving is called") {
    const Server server = serve(echo, {.start_serving = false});
    CHECK_FALSE(server.is_serving());
    CHECK(kernel.dial(port) == -1);
    loop.run_until_complete(server.start_serving());
    CHECK(ask(dial(), "x\n") == "x\n");
  }

  // asyncio: TypeError, and is_serving() says true from then on.
  TEST_CASE_FIXTURE(Serving, "start_serving, serve_forever: a closed server says so") {
    const Server server = serve(echo);
    server.close();
    CHECK_THROWS_WITH_AS(loop.run_until_complete(server.start_serving()),
                         "server <Server sockets=()> is closed", weir::RuntimeError);
    CHECK_THROWS_WITH_AS(loop.run_until_complete(server.serve_forever()),
                         "server <Server sockets=()> is closed", weir::RuntimeError);
    CHECK_FALSE(server.is_serving());
  }

  TEST_CASE_FIXTURE(Serving, "serve_forever: a second one is refused, the first goes on") {
    const Server server = serve(echo);
    const Task<> first = loop.create_task(server.serve_forever());
    turn();
    CHECK_THROWS_WITH_AS(loop.run_until_complete(server.serve_forever()),
                         "server <Server sockets=('127.0.0.1', 8888)> is already being awaited on "
                         "serve_forever()",
                         weir::RuntimeError);
    CHECK_FALSE(first.done());
    CHECK(ask(dial(), "x\n") == "x\n");
    first.cancel();
    turn();
  }

  // asyncio reports this in debug mode only, and leaks the socket.
  TEST_CASE_FIXTURE(Serving, "create_server: a factory that throws costs its own client only") {
    const auto factory = []() -> std::shared_ptr<weir::Protocol> {
      throw std::runtime_error("no");
    };
    const Server server = loop.run_until_complete(weir::create_server(factory, "127.0.0.1", port));
    CHECK(kernel.at_eof(dial()));
    const std::vector<ExceptionContext> reports = take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "Error on transport creation for incoming connection");
    CHECK(server.is_serving());
  }

  TEST_CASE_FIXTURE(Serving, "accept: out of descriptors it is reported once, and tried again") {
    const Server server = serve(echo);
    kernel.script(weir::Call::accept, {.error = EMFILE});
    const int client = dial();
    const std::vector<ExceptionContext> reports = take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "socket.accept() out of system resource");
    kernel.advance(std::chrono::seconds(1));
    CHECK(ask(client, "x\n") == "x\n");
  }

  TEST_CASE_FIXTURE(Serving, "accept: any other failure is reported, and tried again") {
    const Server server = serve(echo);
    kernel.script(weir::Call::accept, {.error = EOPNOTSUPP});
    const int client = dial();
    const std::vector<ExceptionContext> reports = take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "socket.accept() failed");
    kernel.advance(std::chrono::seconds(1));
    CHECK(ask(client, "x\n") == "x\n");
  }

  TEST_CASE_FIXTURE(Serving, "close: clients that are there are served on, new ones are not") {
    const Server server = serve(echo);
    const int client = dial();
    server.close();
    CHECK(kernel.dial(port) == -1);
    CHECK(ask(client, "x\n") == "x\n");
    const Task<> closed = loop.create_task(server.wait_closed());
    turn();
    CHECK_FALSE(closed.done());
    kernel.put_eof(client);
    turn();
    CHECK(closed.done());
  }

  TEST_CASE_FIXTURE(Serving, "close_clients: a handler that reads sees the end of the stream") {
    const Server server = serve(echo);
    const int client = dial();
    server.close_clients();
    turn();
    CHECK(kernel.at_eof(client));
  }

  TEST_CASE("close: of the loop cancels handlers, and reports none of them") {
    Serving test;
    const Server server = test.serve(echo);
    const int client = test.dial();
    test.loop.close();
    CHECK(test.kernel.at_eof(client));
    CHECK(test.take_reports().empty());
    CHECK(test.kernel.misuses().empty());
  }

  TEST_CASE("loopback: client and server talk over real sockets" * doctest::timeout(10)) {
    weir::EventLoop loop;
    const Server server = loop.run_until_complete(start_server(echo, "127.0.0.1", 0));
    CHECK(loop.run_until_complete(converse(server)) == "line 0\nline 1\nline 2\nend");
    loop.close();
  }

  TEST_CASE("loopback: a record of 8 MiB comes back whole" * doctest::timeout(10)) {
    constexpr std::size_t bytes = std::size_t{8} << 20;
    weir::EventLoop loop;
    const Server server = loop.run_until_complete(
        start_server(echo, "127.0.0.1", 0, {.limit = static_cast<std::ptrdiff_t>(bytes)}));
    CHECK(loop.run_until_complete(converse_at_length(server, bytes)) == bytes);
    loop.close();
  }

  TEST_CASE("loopback: nobody listening is ConnectionRefusedError" * doctest::timeout(10)) {
    weir::EventLoop loop;
    const Server server = loop.run_until_complete(start_server(echo, "127.0.0.1", 0));
    const std::uint16_t its_port = server.sockets()[0].getsockname().port();
    server.close();
    CHECK_THROWS_AS(loop.run_until_complete(weir::open_connection("127.0.0.1", its_port)),
                    weir::ConnectionRefusedError);
    loop.close();
  }
}
