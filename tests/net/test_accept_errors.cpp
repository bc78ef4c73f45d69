// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include <weir/net/server.hpp>

#include <tests/net/serving.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::Recorder;
using weir::test::Serving;

TEST_SUITE_BEGIN("net/accept_errors");

// libuv 8409a6765: an error of one connection that ended the listener.
TEST_CASE_FIXTURE(Serving, "B26: a listener survives every error of accept()") {
  for (const int error :
       {EAGAIN, EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EPROTO, ENETDOWN,
        ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EINVAL, EBADF}) {
    CAPTURE(error);
    protocols.clear();
    const Server server = serve();
    kernel.script(Call::accept, {.error = error});
    dial(port);
    run(2s);
    take_reports();
    CHECK(protocols.size() == 1);
    CHECK(server.is_serving());
    server.close();
    server.abort_clients();
    run();
  }
}

TEST_CASE_FIXTURE(
    Serving, "B26: errors of a single connection are silent, and the next one is taken at once") {
  const Server server = serve();
  for (const int error :
       {ECONNABORTED, EPERM, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH}) {
    CAPTURE(error);
    kernel.script(Call::accept, {.error = error});
    const std::size_t before = protocols.size();
    dial(port);
    pass();
    CHECK(protocols.size() == before + 1);
  }
  CHECK(take_reports().empty());
}

TEST_CASE_FIXTURE(Serving, "accept: nothing to accept is no error and no delay") {
  const Server server = serve();
  kernel.script(Call::accept, {.error = EAGAIN});
  kernel.script(Call::accept, {.error = EINTR});
  client();
  CHECK(protocols.size() == 1);
}

TEST_CASE_FIXTURE(
    Serving, "accept: errors that nobody knows are reported once, and tried again after a second") {
  const Server server = serve();
  kernel.script(Call::accept, {.error = EINVAL});
  const int fd = dial(port);
  run(900ms);
  CHECK(take_report() == "socket.accept() failed: OSError: [Errno 22] Invalid argument");
  CHECK(protocols.empty());
  run(200ms);
  CHECK(protocols.size() == 1);
  CHECK_FALSE(kernel.at_eof(fd));
}

// CPython: test_base_events.py test_accept_connection_exception; gh-151615, bun#32705
TEST_CASE_FIXTURE(
    Serving, "B25: out of descriptors it is reported once, with one timer and one retry a second") {
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    CAPTURE(error);
    const Server server = serve();
    const std::string socket = server.sockets()[0].getsockname().repr();
    kernel.fail_always(Call::accept, error);
    std::vector<int> clients;
    for (int i = 0; i < 20; ++i) clients.push_back(dial(port));
    calls.reset();
    run(1ms);
    CHECK(calls.count(Call::accept) == 1);
    std::vector<ExceptionContext> reports = take_reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].message == "socket.accept() out of system resource");
    CHECK(describe(reports[0].exception).find("[Errno " + std::to_string(error) + "]") !=
          std::string::npos);
    CHECK(reports[0].get("socket").starts_with("<Socket fd="));
    CHECK(loop.timers().size() == 1);
    run(10s);
    CHECK(calls.count(Call::accept) == 11);
    CHECK(take_reports().size() == 10);
    CHECK(busy_polls <= 10);
    kernel.clear(Call::accept);
    server.close();
    for (const int fd : clients) hang_up(fd);
  }
}

// CPython: test_base_events.py test_accept_connection_retry
TEST_CASE_FIXTURE(Serving,
                  "B25: when descriptors are free again, every client that waits is served") {
  const Server server = serve();
  std::vector<int> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(dial(port));
  kernel.set_max_fds(kernel.open_fds().size() + 5);
  run();
  CHECK(protocols.size() == 5);
  CHECK(take_report().starts_with("socket.accept() out of system resource"));
  run(3s);
  CHECK(protocols.size() == 5);
  CHECK(take_reports().size() == 3);
  kernel.set_max_fds(0);
  run(1100ms);
  CHECK(protocols.size() == 20);
  CHECK(take_reports().empty());
  for (const auto& protocol : protocols) CHECK(protocol->trace == "made ");
}

TEST_CASE_FIXTURE(Serving, "accept: connections go on while the listener waits") {
  const Server server = serve();
  const int fd = client();
  kernel.script(Call::accept, {.error = EMFILE});
  dial(port);
  run();
  CHECK(take_reports().size() == 1);
  kernel.put(fd, "data");
  run();
  CHECK(protocols.at(0)->trace == "made data(data) ");
}

TEST_CASE_FIXTURE(Serving, "accept: one listener that waits does not hold up another") {
  kernel.add_host("two.example", {"127.0.0.1", "::1"});
  const Server server = serve({}, "two.example");
  kernel.script(Call::accept, {.error = EMFILE});
  dial(port);  // To 127.0.0.1, the first that listens.
  run();
  CHECK(take_reports().size() == 1);
  int error = 0;
  Socket other = Socket::open(calls, AF_INET6, SOCK_STREAM, 0, error);
  REQUIRE(other.connect(*Endpoint::parse("::1", port)) == 0);
  run();
  CHECK(protocols.size() == 1);
}

// gh-151615: timers that outlived their server.
TEST_CASE_FIXTURE(Serving, "close: while the listener waits, it leaves no timer") {
  const Server server = serve();
  kernel.script(Call::accept, {.error = EMFILE});
  dial(port);
  run();
  CHECK(take_reports().size() == 1);
  CHECK(loop.timers().size() == 1);
  server.close();
  CHECK(loop.timers().empty());
  calls.reset();
  run(5s);
  CHECK(calls.count(Call::accept) == 0);
}

TEST_CASE_FIXTURE(Serving, "B22: a handler that is told of an accept error may close the server") {
  const Server server = serve();
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext&) { server.close(); });
  kernel.script(Call::accept, {.error = EMFILE});
  const int fd = dial(port);
  run();
  CHECK(loop.timers().empty());
  CHECK(kernel.at_eof(fd));
  CHECK_FALSE(server.is_serving());
  loop.set_exception_handler(nullptr);
}

TEST_CASE_FIXTURE(Serving, "EventLoop::close: while the listener waits, it leaves nothing") {
  const Server server = serve();
  kernel.script(Call::accept, {.error = ENOMEM});
  dial(port);
  run();
  CHECK(take_reports().size() == 1);
  loop.close();
  CHECK(loop.timers().empty());
  CHECK(fds_of_ours().empty());
}

TEST_CASE_FIXTURE(Serving, "add_reader: the descriptor of a listener that waits is refused, too") {
  const Server server = serve();
  const int fd = server.sockets()[0].fd();
  kernel.script(Call::accept, {.error = EMFILE});
  dial(port);
  run();
  CHECK(take_reports().size() == 1);
  CHECK_THROWS_AS(loop.add_reader(fd, [] {}), RuntimeError);
}

TEST_CASE_FIXTURE(Serving,
                  "start_serving: while the listener waits, it does not begin again early") {
  const Server server = serve();
  kernel.fail_always(Call::accept, EMFILE);
  dial(port);
  run();
  loop.run_until_complete(server.start_serving());
  run(500ms);
  CHECK(take_reports().size() == 1);
  kernel.clear(Call::accept);
}

TEST_SUITE_END();
