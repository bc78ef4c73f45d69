// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/net/server.hpp>
#include <weir/net/socket.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/wait.hpp>
#include <weir/streams/open_connection.hpp>
#include <weir/streams/read_options.hpp>
#include <weir/streams/start_server.hpp>

#include <tests/streams/stream_fixture.hpp>
#include <tests/streams/stream_loop.hpp>

using weir::Call;
using weir::FakeKernel;
using weir::open_connection;
using weir::Socket;
using weir::Streams;
using weir::Task;
using weir::test::said;
using weir::test::StreamLoop;
using weir::test::unused;

namespace {

constexpr int port = 8888;

/// A connected pair; the caller wraps the first one.
struct Pair {
  explicit Pair(FakeKernel& kernel) { REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0); }
  int fds[2];
};

/// The error that a coroutine ends with, by type and text.
template <class T>
std::string error_of(StreamLoop& test, weir::Coro<T> coro) {
  try {
    test.loop.run_until_complete(std::move(coro));
  } catch (...) {
    return said(std::current_exception());
  }
  return "none";
}

}  // namespace

TEST_SUITE("streams/open_connection") {
  // GCC PR 95599: g++ 12 destroys an aggregate that is made with braces inside a co_await twice.
  TEST_CASE("B76: options, which are made with braces, have nothing to destroy") {
    CHECK(std::is_trivially_destructible_v<weir::OpenOptions>);
    CHECK(std::is_trivially_destructible_v<weir::StartServerOptions>);
    CHECK(std::is_trivially_destructible_v<weir::ConnectOptions>);
    CHECK(std::is_trivially_destructible_v<weir::ServerOptions>);
    CHECK(std::is_trivially_destructible_v<weir::RecordOptions>);
    CHECK(std::is_trivially_destructible_v<weir::WaitOptions>);
  }

  // CPython: test_streams.py test_open_connection
  TEST_CASE_FIXTURE(StreamLoop, "open_connection: gives both ends of a conversation") {
    const int listener = kernel.listen_on(port);
    const Streams streams = loop.run_until_complete(open_connection("127.0.0.1", port));
    const int theirs = kernel.accept_from(listener);
    streams.writer.write("question\n");
    turn();
    CHECK(kernel.take(theirs) == "question\n");
    kernel.put(theirs, "answer\n");
    const Task<std::string> line = loop.create_task(streams.reader.readline());
    turn();
    CHECK(said(line) == R"("answer\n")");
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: bytes that were there before it are not lost") {
    Pair pair(kernel);
    kernel.put(pair.fds[1], "early\n");
    Socket sock(kernel, pair.fds[0]);
    const Streams streams = loop.run_until_complete(open_connection({.sock = &sock}));
    const Task<std::string> line = loop.create_task(streams.reader.readline());
    turn();
    CHECK(said(line) == R"("early\n")");
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: hands its limit to the reader") {
    Pair pair(kernel);
    Socket sock(kernel, pair.fds[0]);
    const Streams streams = loop.run_until_complete(open_connection({.limit = 7, .sock = &sock}));
    CHECK(streams.reader.limit() == 7);
    CHECK_FALSE(sock.valid());
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: a bad limit is told before anything happens") {
    Pair pair(kernel);
    Socket sock(kernel, pair.fds[0]);
    CHECK_THROWS_WITH_AS(unused(open_connection("127.0.0.1", port, {.limit = 0})),
                         "Limit cannot be <= 0", weir::ValueError);
    CHECK_THROWS_WITH_AS(unused(open_connection({.limit = -1, .sock = &sock})),
                         "Limit cannot be <= 0", weir::ValueError);
    CHECK(sock.valid());
    CHECK(kernel.open_fds().size() == 2);
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: an address and a socket exclude each other") {
    Pair pair(kernel);
    Socket sock(kernel, pair.fds[0]);
    CHECK_THROWS_WITH_AS(unused(open_connection("127.0.0.1", port, {.sock = &sock})),
                         "host/port and sock can not be specified at the same time",
                         weir::ValueError);
    CHECK(sock.valid());
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: with neither address nor socket is refused") {
    CHECK_THROWS_WITH_AS(unused(open_connection(weir::OpenOptions{})),
                         "host and port was not specified and no sock specified", weir::ValueError);
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: a port that is none is refused") {
    CHECK_THROWS_WITH_AS(unused(open_connection("127.0.0.1", 65536)),
                         "port must be 0-65535, not 65536", weir::ValueError);
    CHECK_THROWS_WITH_AS(unused(open_connection("127.0.0.1", -1)), "port must be 0-65535, not -1",
                         weir::ValueError);
    CHECK_THROWS_WITH_AS(unused(open_connection("127.0.0.1", "70000")),
                         "port must be 0-65535, not 70000", weir::ValueError);
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: nobody listening is ConnectionRefusedError") {
    CHECK(error_of(*this, open_connection("127.0.0.1", 1)) ==
          "ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 1)");
    CHECK(kernel.open_fds().empty());
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: a name that is none is GaiError") {
    CHECK(error_of(*this, open_connection("nowhere.invalid", port)) ==
          "GaiError: [Errno -2] Name or service not known");
    CHECK(kernel.open_fds().empty());
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: a resolver that fails for now says so") {
    kernel.script(Call::getaddrinfo, {.value = -3, .error = 0});  // EAI_AGAIN
    CHECK(error_of(*this, open_connection("localhost", port)) ==
          "GaiError: [Errno -3] Temporary failure in name resolution");
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: a name too long for DNS is never looked up") {
    const std::string name(254, 'a');
    CHECK_THROWS_AS(unused(open_connection(name, port)), weir::ValueError);
    CHECK(kernel.queued_jobs() == 0);
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: a resolver that finds nothing says so") {
    kernel.script(Call::getaddrinfo, {.value = 0, .error = 0});
    CHECK(error_of(*this, open_connection("localhost", port)) ==
          "OSError: getaddrinfo() returned empty list");
  }

  // CPython: test_base_events.py test_create_connection_sock_type
  TEST_CASE_FIXTURE(StreamLoop, "open_connection: a socket that is no stream socket is refused") {
    Socket none;
    CHECK_THROWS_WITH_AS(loop.run_until_complete(open_connection({.sock = &none})),
                         "A Stream Socket was expected, got <Socket fd=-1, family=0, type=0, "
                         "proto=0>",
                         weir::ValueError);
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: the errors of all addresses are told together") {
    kernel.add_host("two.test", {"127.0.0.2", "127.0.0.1"});
    CHECK(error_of(*this, open_connection("two.test", port)) ==
          "OSError: Multiple exceptions: [Errno 111] Connect call failed ('127.0.0.2', 8888), "
          "[Errno 111] Connect call failed ('127.0.0.1', 8888)");
    CHECK(kernel.open_fds().empty());
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: the next address is tried when one refuses") {
    kernel.add_host("two.test", {"127.0.0.2", "127.0.0.1"});
    const int listener = kernel.listen_on(port);
    const Streams streams = loop.run_until_complete(open_connection("two.test", port));
    CHECK(kernel.accept_from(listener) >= 0);
    CHECK_FALSE(streams.writer.is_closing());
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: cancelled while it connects, closes the socket") {
    kernel.set_connects(FakeKernel::Connects::held);
    const Task<Streams> task = loop.create_task(open_connection("127.0.0.1", port));
    turn();
    CHECK(kernel.open_fds().size() == 1);
    task.cancel();
    turn();
    CHECK(task.cancelled());
    CHECK(kernel.open_fds().empty());
    CHECK(kernel.misuses().empty());
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: cancelled once connected, closes the link") {
    const int listener = kernel.listen_on(port);
    const Task<Streams> task = loop.create_task(open_connection("127.0.0.1", port));
    pass();
    const int theirs = kernel.accept_from(listener);
    REQUIRE(theirs >= 0);
    task.cancel();
    turn();
    CHECK(task.cancelled());
    CHECK(kernel.at_eof(theirs));
  }

  TEST_CASE_FIXTURE(StreamLoop, "open_connection: may be called before the loop runs") {
    kernel.listen_on(port);
    weir::Coro<Streams> later = open_connection(std::string("127.0.0.1"), port);
    const Streams streams = loop.run_until_complete(std::move(later));
    CHECK_FALSE(streams.writer.is_closing());
  }
}
