// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <sys/socket.h>

#include <string>
#include <utility>

#include <weir/net/socket.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/streams/open_unix_connection.hpp>
#include <weir/streams/start_unix_server.hpp>

#include <tests/streams/stream_fixture.hpp>
#include <tests/streams/stream_loop.hpp>

using weir::Coro;
using weir::open_unix_connection;
using weir::Server;
using weir::Socket;
using weir::start_unix_server;
using weir::StreamReader;
using weir::Streams;
using weir::StreamWriter;
using weir::Task;
using weir::test::StreamLoop;
using weir::test::unused;

namespace {

constexpr const char* path = "/run/weir.sock";

Coro<> greet(StreamReader reader, StreamWriter writer) {
  const std::string name = co_await reader.readline();
  writer.write("hello " + name);
  co_await writer.drain();
  writer.close();
}

Coro<std::string> ask(std::string question) {
  const Streams streams = co_await open_unix_connection(path);
  streams.writer.write(question);
  const std::string answer = co_await streams.reader.readline();
  streams.writer.close();
  co_await streams.writer.wait_closed();
  co_return answer;
}

}  // namespace

TEST_SUITE("streams/unix") {
  // CPython: test_streams.py test_open_unix_connection, test_start_unix_server
  TEST_CASE_FIXTURE(StreamLoop, "start_unix_server, open_unix_connection: talk to each other") {
    const Server server = loop.run_until_complete(start_unix_server(greet, path));
    CHECK(loop.run_until_complete(ask("world\n")) == "hello world\n");
    server.close();
    CHECK_FALSE(kernel.has_file(path));
  }

  // CPython: test_streams.py test_start_unix_server
  TEST_CASE_FIXTURE(StreamLoop, "start_unix_server: a plain callback may start the conversation") {
    const auto starts = [this](StreamReader reader, StreamWriter writer) {
      loop.create_task(greet(std::move(reader), std::move(writer)));
    };
    const Server server = loop.run_until_complete(start_unix_server(starts, path));
    CHECK(loop.run_until_complete(ask("world\n")) == "hello world\n");
    server.close();
  }

  // CPython: test_server.py test_start_unix_server_1
  TEST_CASE_FIXTURE(
      StreamLoop, "start_unix_server: not started, it serves from start_serving until cancelled") {
    const Server server =
        loop.run_until_complete(start_unix_server(greet, path, {.start_serving = false}));
    CHECK_FALSE(server.is_serving());
    loop.run_until_complete(server.start_serving());
    CHECK(server.is_serving());
    const Task<> serving = loop.create_task(server.serve_forever());
    CHECK(loop.run_until_complete(ask("world\n")) == "hello world\n");
    serving.cancel();
    turn();
    CHECK(serving.cancelled());
    CHECK_FALSE(server.is_serving());
    CHECK(server.sockets().empty());
    CHECK_THROWS_WITH_AS(loop.run_until_complete(server.serve_forever()),
                         "server <Server sockets=()> is closed", weir::RuntimeError);
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_unix_connection: hands its limit to the reader") {
    kernel.listen_on_path(path);
    const Streams streams = loop.run_until_complete(open_unix_connection(path, {.limit = 7}));
    CHECK(streams.reader.limit() == 7);
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_unix_connection: takes a given socket") {
    int fds[2];
    REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
    Socket sock(kernel, fds[0]);
    const Streams streams =
        loop.run_until_complete(open_unix_connection({.limit = 7, .sock = &sock}));
    CHECK(streams.reader.limit() == 7);
    CHECK_FALSE(sock.valid());
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_unix_connection: bad arguments are told before anything") {
    Socket none;
    CHECK_THROWS_WITH_AS(unused(open_unix_connection(path, {.limit = 0})), "Limit cannot be <= 0",
                         weir::ValueError);
    CHECK_THROWS_WITH_AS(unused(open_unix_connection({.limit = -1, .sock = &none})),
                         "Limit cannot be <= 0", weir::ValueError);
    CHECK_THROWS_WITH_AS(unused(open_unix_connection(path, {.sock = &none})),
                         "path and sock can not be specified at the same time", weir::ValueError);
    CHECK_THROWS_WITH_AS(unused(open_unix_connection(weir::OpenUnixOptions{})),
                         "no path and sock were specified", weir::ValueError);
  }

  TEST_CASE_FIXTURE(StreamLoop, "start_unix_server: bad arguments are told before anything") {
    Socket none;
    CHECK_THROWS_WITH_AS(unused(start_unix_server(greet, path, {.limit = 0})),
                         "Limit cannot be <= 0", weir::ValueError);
    CHECK_THROWS_WITH_AS(unused(start_unix_server(greet, path, {.sock = &none})),
                         "path and sock can not be specified at the same time", weir::ValueError);
    CHECK_THROWS_WITH_AS(unused(start_unix_server(greet, weir::StartUnixServerOptions{})),
                         "path was not specified, and no sock specified", weir::ValueError);
  }

  TEST_CASE_FIXTURE(StreamLoop, "start_unix_server: hands on what it was told") {
    const Server server = loop.run_until_complete(
        start_unix_server(greet, path, {.start_serving = false, .cleanup_socket = false}));
    CHECK_FALSE(server.is_serving());
    server.close();
    CHECK(kernel.has_file(path));
  }
}
