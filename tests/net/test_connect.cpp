// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/net/net_loop.hpp>

using namespace weir;
using namespace std::chrono_literals;
using weir::test::error_of;
using weir::test::NetLoop;
using weir::test::Recorder;

namespace {

struct Connecting : NetLoop {
  Connecting() { listener = theirs(kernel.listen_on(80)); }

  /// A factory that always gives the same protocol.
  auto factory() {
    return [this] {
      ++protocols_made;
      return protocol;
    };
  }
  std::string connect_error(std::string_view host, Port port, const ConnectOptions& options = {}) {
    return error_of(
        [&] { loop.run_until_complete(create_connection(factory(), host, port, options)); });
  }
  /// The only descriptor that the loop has open.
  int connecting_fd() {
    const std::vector<int> fds = fds_of_ours();
    REQUIRE(fds.size() == 1);
    return fds[0];
  }

  int listener;
  int protocols_made = 0;
  std::shared_ptr<Recorder> protocol = std::make_shared<Recorder>();
};

}  // namespace

TEST_SUITE_BEGIN("net/connect");

// ---- Success

// CPython: test_events.py EventLoopTestsMixin.test_create_connection
TEST_CASE_FIXTURE(Connecting,
                  "create_connection: gives transport and protocol when the connection was made") {
  const Connection<Recorder> made =
      loop.run_until_complete(create_connection(factory(), "127.0.0.1", 80));
  CHECK(made.protocol == protocol);
  CHECK(made.protocol->trace == "made ");
  CHECK(made.transport == protocol->transport);
  const int peer = theirs(kernel.accept_from(listener));
  made.transport->write("hello");
  run();
  CHECK(kernel.take(peer) == "hello");
}

TEST_CASE_FIXTURE(Connecting, "create_connection: made, returned, and only then the first bytes") {
  std::string order;
  protocol->hears = [&](const std::string& word) { order += word + " "; };
  protocol->on_made = [&] { kernel.put(theirs(kernel.accept_from(listener)), "early"); };
  const auto connect = [](Connecting* its, std::string* trace) -> Coro<> {
    const Connection<Recorder> made = co_await create_connection(its->factory(), "127.0.0.1", 80);
    *trace += "returned ";
  };
  const auto task = loop.create_task(connect(this, &order));
  run();
  CHECK(task.done());
  CHECK(order == "made returned data(early) ");
  protocol->calm_down();
}

TEST_CASE_FIXTURE(Connecting, "create_connection: host may go when it has returned") {
  std::string host = "localhost";
  auto connecting = create_connection(factory(), host, 80);
  host.assign(host.size(), '?');
  loop.run_until_complete(std::move(connecting));
  CHECK(protocol->trace == "made ");
}

TEST_CASE_FIXTURE(Connecting, "create_connection: a connect that takes its time is waited for") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = loop.create_task(create_connection(factory(), "127.0.0.1", 80));
  run(1h);
  CHECK_FALSE(task.done());
  CHECK(busy_polls == 0);
  kernel.finish_connect(connecting_fd());
  run();
  CHECK(task.done());
  CHECK(protocol->trace == "made ");
}

TEST_CASE_FIXTURE(Connecting, "B18: an interrupted connect goes on, and is waited for") {
  kernel.script(Call::connect, {.error = EINTR});
  const auto task = loop.create_task(create_connection(factory(), "127.0.0.1", 80));
  run();
  CHECK(calls.count(Call::getsockopt) == 1);  // SO_ERROR, once it was writable;
  CHECK(calls.count(Call::connect) == 2);     // and whether it is connected, then.
  CHECK(protocol->trace.starts_with("made "));
}

TEST_CASE_FIXTURE(
    Connecting,
    "create_connection: one whose connection_made throws or closes returns all the same") {
  protocol->on_made = [&] {
    protocol->transport->close();
    throw RuntimeError("no");
  };
  const Connection<Recorder> made =
      loop.run_until_complete(create_connection(factory(), "127.0.0.1", 80));
  CHECK(made.transport->is_closing());
  CHECK(take_reports().size() == 1);
  run();
  CHECK(protocol->trace == "made lost() ");
}

// ---- Several addresses

// CPython: test_base_events.py test_create_connection_multiple
TEST_CASE_FIXTURE(Connecting,
                  "create_connection: addresses are tried in order, until one takes it") {
  kernel.add_host("two.example", {"192.0.2.1", "127.0.0.1", "192.0.2.2"});
  const Connection<Recorder> made =
      loop.run_until_complete(create_connection(factory(), "two.example", 80));
  CHECK(made.transport->get_extra_info("peername").endpoint()->repr() == "('127.0.0.1', 80)");
  CHECK(calls.count(Call::connect) == 2);
  CHECK(calls.count(Call::close) == 1);
}

TEST_CASE_FIXTURE(Connecting,
                  "create_connection: each attempt is brought to its end before the next") {
  kernel.set_connects(FakeKernel::Connects::held);
  kernel.add_host("two.example", {"192.0.2.1", "127.0.0.1"});
  const auto task = loop.create_task(create_connection(factory(), "two.example", 80));
  run(1h);
  CHECK(calls.count(Call::connect) == 1);
  kernel.finish_connect(connecting_fd(), ETIMEDOUT);
  run();
  CHECK(calls.count(Call::connect) == 2);
  kernel.finish_connect(connecting_fd());
  run();
  CHECK(task.done());
  CHECK(protocol->trace == "made ");
}

// CPython: test_base_events.py test_create_connection_multiple_errors
TEST_CASE_FIXTURE(Connecting,
                  "create_connection: when all addresses fail differently, all are told") {
  kernel.add_host("two.example", {"192.0.2.1", "2001:db8::1"});
  CHECK(connect_error("two.example", 81) ==
        "OSError: Multiple exceptions: [Errno 111] Connect call failed ('192.0.2.1', 81), "
        "[Errno 111] Connect call failed ('2001:db8::1', 81, 0, 0)");
}

TEST_CASE_FIXTURE(Connecting,
                  "create_connection: when all addresses fail alike, the first error is told") {
  kernel.add_host("two.example", {"192.0.2.1", "192.0.2.2"});
  kernel.fail_always(Call::socket, EACCES);
  CHECK(connect_error("two.example", 80) == "PermissionError: [Errno 13] Permission denied");
  kernel.clear(Call::socket);
}

TEST_CASE_FIXTURE(Connecting,
                  "create_connection: an address that no socket can be made for is passed over") {
  kernel.add_host("two.example", {"2001:db8::1", "127.0.0.1"});
  kernel.script(Call::socket, {.error = EAFNOSUPPORT});
  CHECK(connect_error("two.example", 80) == "nothing");
  CHECK(protocol->trace == "made ");
}

TEST_CASE_FIXTURE(Connecting,
                  "create_connection: only addresses of the family asked for are tried") {
  kernel.add_host("two.example", {"2001:db8::1", "127.0.0.1"});
  CHECK(connect_error("two.example", 80, {.family = AF_INET}) == "nothing");
  CHECK(calls.count(Call::connect) == 1);
}

// ---- Failure

// CPython: test_base_events.py test_create_connection_connect_err
TEST_CASE_FIXTURE(Connecting,
                  "create_connection: a refused connection says where, and leaves nothing") {
  CHECK(connect_error("127.0.0.1", 1) ==
        "ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 1)");
  CHECK(connect_error("::1", 1) ==
        "ConnectionRefusedError: [Errno 111] Connect call failed ('::1', 1, 0, 0)");
  CHECK(fds_of_ours().empty());
  CHECK(protocols_made == 0);
}

TEST_CASE_FIXTURE(Connecting,
                  "create_connection: every error of connect has its class, at once or later") {
  const std::vector<std::pair<int, std::string>> rows = {
      {ENETUNREACH, "OSError"},    {EHOSTUNREACH, "OSError"},
      {ETIMEDOUT, "TimeoutError"}, {ECONNREFUSED, "ConnectionRefusedError"},
      {EADDRNOTAVAIL, "OSError"},  {EACCES, "PermissionError"},
      {EPERM, "PermissionError"},  {ECONNRESET, "ConnectionResetError"},
  };
  for (const auto& [error, type] : rows) {
    CAPTURE(error);
    const std::string text =
        type + ": [Errno " + std::to_string(error) + "] Connect call failed ('127.0.0.1', 80)";
    kernel.script(Call::connect, {.error = error});
    CHECK(connect_error("127.0.0.1", 80) == text);
    kernel.set_connects(FakeKernel::Connects::held);
    loop.call_later(
        1s, [this, its_error = error] { kernel.finish_connect(connecting_fd(), its_error); });
    CHECK(connect_error("127.0.0.1", 80) == text);
    kernel.set_connects(FakeKernel::Connects::at_once);
  }
}

// A full backlog of a unix listener: nothing is in progress, and epoll would call it writable.
TEST_CASE_FIXTURE(Connecting,
                  "create_connection: EAGAIN is a failure, not a connection in progress") {
  kernel.script(Call::connect, {.error = EAGAIN});
  CHECK(connect_error("127.0.0.1", 80) ==
        "BlockingIOError: [Errno 11] Connect call failed ('127.0.0.1', 80)");
}

TEST_CASE_FIXTURE(Connecting,
                  "create_connection: when SO_ERROR cannot be asked, that is the error") {
  kernel.set_connects(FakeKernel::Connects::in_progress);
  kernel.script(Call::getsockopt, {.error = ENOBUFS});
  CHECK(connect_error("127.0.0.1", 80) ==
        "OSError: [Errno 105] Connect call failed ('127.0.0.1', 80)");
}

TEST_CASE_FIXTURE(Connecting,
                  "create_connection: a poller that cannot watch the socket is an error") {
  kernel.set_connects(FakeKernel::Connects::held);
  kernel.script(Call::poller_set, {.error = ENOSPC});
  CHECK(connect_error("127.0.0.1", 80) == "OSError: [Errno 28] No space left on device");
}

// CPython: test_base_events.py test_create_connection_no_getaddrinfo
TEST_CASE_FIXTURE(Connecting, "create_connection: a name without addresses is asyncio's error") {
  kernel.script(Call::getaddrinfo, {.value = 0});
  CHECK(connect_error("a.example", 80) == "OSError: getaddrinfo() returned empty list");
  CHECK(connect_error("b.example", 80) == "GaiError: [Errno -2] Name or service not known");
}

TEST_CASE_FIXTURE(
    Connecting, "create_connection: what the factory throws comes out, and the socket is closed") {
  const auto refuse = []() -> std::shared_ptr<Recorder> {
    throw RuntimeError("no protocol today");
  };
  CHECK(error_of([&] { loop.run_until_complete(create_connection(refuse, "127.0.0.1", 80)); }) ==
        "RuntimeError: no protocol today");
  CHECK(fds_of_ours().empty());
  CHECK(calls.count(Call::close) == 1);
}

TEST_CASE_FIXTURE(
    Connecting,
    "create_connection: a factory that gives nothing is an error, and the socket is closed") {
  const auto nothing = [] { return std::shared_ptr<Recorder>(); };
  CHECK(error_of([&] { loop.run_until_complete(create_connection(nothing, "127.0.0.1", 80)); }) ==
        "ValueError: a protocol was expected, got None");
  CHECK(fds_of_ours().empty());
}

// CPython: test_base_events.py test_create_connection_host_port_sock, ..._no_host_port_sock,
// ..._wrong_sock
TEST_CASE_FIXTURE(Connecting,
                  "create_connection: contradictory arguments are refused with asyncio's texts") {
  Socket none;
  Socket datagrams;
  CHECK(connect_error("127.0.0.1", 80, {.sock = &none}) ==
        "ValueError: host/port and sock can not be specified at the same time");
  CHECK(error_of([&] { static_cast<void>(create_connection(factory(), ConnectOptions{})); }) ==
        "ValueError: host and port was not specified and no sock specified");
  CHECK(error_of([&] { static_cast<void>(create_connection(factory(), {.sock = &none})); }) ==
        "ValueError: A Stream Socket was expected, got <Socket fd=-1, family=0, type=0, proto=0>");
  CHECK(connect_error(std::string(300, 'x'), 80)
            .starts_with("ValueError: host name is 300 bytes long"));
}

// ---- A given socket

TEST_CASE_FIXTURE(Connecting,
                  "create_connection: over a given socket, which it takes and makes non-blocking") {
  Socket given(calls, kernel.dial(80));
  const int fd = given.fd();
  const int peer = theirs(kernel.accept_from(listener));
  const Connection<Recorder> made =
      loop.run_until_complete(create_connection(factory(), {.sock = &given}));
  CHECK_FALSE(given.valid());
  CHECK(made.transport->get_extra_info("socket").socket()->fd() == fd);
  CHECK(calls.count(Call::set_nonblocking) == 1);
  kernel.put(peer, "data");
  run();
  CHECK(protocol->trace == "made data(data) ");
}

TEST_CASE_FIXTURE(Connecting,
                  "create_connection: a given socket of the wrong kind stays the caller's") {
  Socket given(calls, kernel.dial(80));
  kernel.script(Call::getsockopt, {.error = ENOTSOCK});
  Socket wrong(calls, kernel.dial(80));
  CHECK(error_of([&] {
          static_cast<void>(create_connection(factory(), {.sock = &wrong}));
        }).starts_with("ValueError: A Stream Socket was expected, got <Socket fd="));
  CHECK(wrong.valid());
}

TEST_CASE_FIXTURE(Connecting,
                  "create_connection: a given socket is closed when the factory throws") {
  Socket given(calls, kernel.dial(80));
  const auto refuse = []() -> std::shared_ptr<Recorder> { throw RuntimeError("no"); };
  CHECK_THROWS_AS(loop.run_until_complete(create_connection(refuse, {.sock = &given})),
                  RuntimeError);
  CHECK(fds_of_ours().empty());
}

TEST_CASE_FIXTURE(Connecting, "create_connection: a given socket is closed when nobody awaits") {
  Socket given(calls, kernel.dial(80));
  {
    const auto never_awaited = create_connection(factory(), {.sock = &given});
  }
  CHECK(fds_of_ours().empty());
}

TEST_CASE_FIXTURE(
    Connecting, "create_connection: a given socket that is not connected is lost with its error") {
  int error = 0;
  Socket given = Socket::open(calls, AF_INET, SOCK_STREAM, 0, error);
  loop.run_until_complete(create_connection(factory(), {.sock = &given}));
  run();
  CHECK(protocol->trace == "made lost([Errno 107] Transport endpoint is not connected) ");
}

// CPython: test_events.py test_connect_accepted_socket
TEST_CASE_FIXTURE(Connecting, "connect_accepted_socket: makes a protocol over the socket") {
  Socket accepted(calls, kernel.dial(80));
  const int peer = theirs(kernel.accept_from(listener));
  const Connection<Recorder> made =
      loop.run_until_complete(connect_accepted_socket(factory(), std::move(accepted)));
  kernel.put(peer, "data");
  run();
  CHECK(made.protocol->trace == "made data(data) ");
}

TEST_CASE_FIXTURE(Connecting, "connect_accepted_socket: a socket that is closed is refused") {
  Socket closed(calls, kernel.dial(80));
  closed.close();
  CHECK(error_of([&] {
          static_cast<void>(connect_accepted_socket(factory(), std::move(closed)));
        }) == "ValueError: Invalid file descriptor: -1");
}

TEST_CASE_FIXTURE(Connecting,
                  "connect_accepted_socket: one of the wrong kind is refused, and stays") {
  kernel.script(Call::getsockopt, {.error = ENOTSOCK});
  Socket wrong(calls, kernel.dial(80));
  CHECK(error_of([&] {
          static_cast<void>(connect_accepted_socket(factory(), std::move(wrong)));
        }).starts_with("ValueError: A Stream Socket was expected, got <Socket fd="));
  CHECK(wrong.valid());  // NOLINT(bugprone-use-after-move): that is the claim.
}

// ---- Cancelling

// asyncio#205 and others: a cancelled connect that left its descriptor registered, or closed it
// twice.
TEST_CASE_FIXTURE(
    Connecting,
    "create_connection: cancelled while it connects, the socket is unwatched and closed once") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = loop.create_task(create_connection(factory(), "127.0.0.1", 80));
  run();
  CHECK(kernel.registered_fds() == fds_of_ours());
  task.cancel();
  run();
  CHECK(task.cancelled());
  CHECK(kernel.registered_fds().empty());
  CHECK(fds_of_ours().empty());
  CHECK(calls.count(Call::close) == 1);
}

TEST_CASE_FIXTURE(Connecting,
                  "B05: a connect cancelled in any of its first 20 passes leaves nothing behind") {
  for (const auto mode : {FakeKernel::Connects::at_once, FakeKernel::Connects::in_progress}) {
    kernel.set_connects(mode);
    int cancelled = 0;
    int completed = 0;
    for (int passes = 0; passes < 20; ++passes) {
      CAPTURE(passes);
      protocol = std::make_shared<Recorder>();
      calls.reset();
      const auto task = loop.create_task(create_connection(factory(), "localhost", 80));
      for (int i = 0; i < passes; ++i) pass();
      task.cancel();
      run();
      REQUIRE(task.done());
      task.cancelled() ? ++cancelled : ++completed;
      if (task.cancelled()) {
        const bool quiet = protocol->trace == "" || protocol->trace == "made lost() ";
        CHECK(quiet);
        CHECK(calls.count(Call::close) == calls.count(Call::socket));
        CHECK(fds_of_ours().empty());
      } else {
        task.result().transport->abort();
        run();
      }
    }
    CHECK(cancelled > 3);
    CHECK(completed > 3);
  }
}

TEST_CASE_FIXTURE(
    Connecting,
    "create_connection: cancelled while connection_made is due, the protocol hears made and lost") {
  Socket given(calls, kernel.dial(80));
  const auto task = loop.create_task(create_connection(factory(), {.sock = &given}));
  pass();  // The transport has been started.
  CHECK(protocol->trace == "");
  task.cancel();
  run();
  CHECK(task.cancelled());
  CHECK(protocol->trace == "made lost() ");
  CHECK(calls.count(Call::close) == 1);
}

TEST_CASE_FIXTURE(Connecting, "create_connection: a time-out ends a connect that nobody answers") {
  kernel.set_connects(FakeKernel::Connects::held);
  const TimePoint start = loop.time();
  CHECK(error_of([&] {
          loop.run_until_complete(wait_for(create_connection(factory(), "127.0.0.1", 80), 5s));
        }) == "TimeoutError");
  CHECK(loop.time() - start == 5s);
  CHECK(fds_of_ours().empty());
}

TEST_CASE_FIXTURE(Connecting, "create_connection: a loop that closes meanwhile closes the socket") {
  kernel.set_connects(FakeKernel::Connects::held);
  const auto task = loop.create_task(create_connection(factory(), "127.0.0.1", 80));
  run();
  loop.close();
  CHECK(task.cancelled());
  CHECK(calls.count(Call::close) == 1);
}

TEST_SUITE_END();
