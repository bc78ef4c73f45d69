// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net/unix_connect.hpp>
#include <weir/net/unix_server.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/net/net_loop.hpp>

using namespace weir;
using namespace std::chrono_literals;
using namespace std::string_view_literals;
using weir::test::error_of;
using weir::test::NetLoop;
using weir::test::Recorder;

namespace {

constexpr const char* path = "/run/weir.sock";
constexpr std::string_view abstract_name = "\0weir"sv;
const std::string too_long(108, 'p');

struct UnixSockets : NetLoop {
  auto factory() {
    return [this] {
      protocols.push_back(std::make_shared<Recorder>());
      return protocols.back();
    };
  }
  Connection<Recorder> connect(std::string_view to = path) {
    return loop.run_until_complete(create_unix_connection(factory(), to));
  }
  std::string connect_error(std::string_view to, const UnixConnectOptions& options = {}) {
    return error_of(
        [&] { loop.run_until_complete(create_unix_connection(factory(), to, options)); });
  }
  Server serve(std::string_view at = path, const UnixServerOptions& options = {}) {
    return loop.run_until_complete(create_unix_server(factory(), at, options));
  }
  std::string serve_error(std::string_view at = path, const UnixServerOptions& options = {}) {
    return error_of([&] { serve(at, options); });
  }
  /// A server over a socket that was bound to `path` before.
  Server serve_given(UnixServerOptions options = {}) {
    int error = 0;
    Socket bound = Socket::open(calls, AF_UNIX, SOCK_STREAM, 0, error);
    REQUIRE(bound.bind(Endpoint::at_path(path)) == 0);
    options.sock = &bound;
    const auto create = [](UnixSockets* its, const UnixServerOptions* given) -> Coro<Server> {
      co_return co_await create_unix_server(its->factory(), *given);
    };
    return loop.run_until_complete(create(this, &options));
  }
  static std::string name_of(const Connection<Recorder>& made, std::string_view which) {
    return made.transport->get_extra_info(which).endpoint()->repr();
  }

  std::vector<std::shared_ptr<Recorder>> protocols;
};

}  // namespace

TEST_SUITE_BEGIN("net/unix");

// ---- Connecting

// CPython: test_events.py test_create_unix_connection
TEST_CASE_FIXTURE(UnixSockets, "create_unix_connection: connects to who listens at the path") {
  const int listener = theirs(kernel.listen_on_path(path));
  const Connection<Recorder> made = connect();
  const int peer = theirs(kernel.accept_from(listener));
  made.transport->write("hello");
  run();
  CHECK(kernel.take(peer) == "hello");
  CHECK(made.protocol->trace == "made ");
}

TEST_CASE_FIXTURE(UnixSockets, "create_unix_connection: the peer has the path, we have no name") {
  theirs(kernel.listen_on_path(path));
  const Connection<Recorder> made = connect();
  CHECK(name_of(made, "peername") == "'/run/weir.sock'");
  CHECK(name_of(made, "sockname") == "''");
}

TEST_CASE_FIXTURE(UnixSockets, "create_unix_connection: an abstract name is no file") {
  theirs(kernel.listen_on_path(abstract_name));
  const Connection<Recorder> made = connect(abstract_name);
  CHECK(name_of(made, "peername") == R"('\x00weir')");
  CHECK(calls.count(Call::stat) == 0);
}

TEST_CASE_FIXTURE(UnixSockets, "create_unix_connection: what connect says is told as it is") {
  CHECK(connect_error("/run/none") == "FileNotFoundError: [Errno 2] No such file or directory");
  kernel.add_file("/run/dead", S_IFSOCK);
  CHECK(connect_error("/run/dead") == "ConnectionRefusedError: [Errno 111] Connection refused");
  kernel.script(Call::connect, {.error = EACCES});
  CHECK(connect_error("/run/dead") == "PermissionError: [Errno 13] Permission denied");
  kernel.script(Call::socket, {.error = EMFILE});
  CHECK(connect_error("/run/dead") == "OSError: [Errno 24] Too many open files");
  CHECK(fds_of_ours().empty());
  CHECK(protocols.empty());
}

// CPython: test_unix_events.py test_create_unix_connection_path_sock, ..._nopath_nosock,
// ..._nopath_non_unix
TEST_CASE_FIXTURE(UnixSockets, "create_unix_connection: wrong arguments have asyncio's texts") {
  Socket none;
  CHECK(connect_error(path, {.sock = &none}) ==
        "ValueError: path and sock can not be specified at the same time");
  CHECK(error_of([&] {
          static_cast<void>(create_unix_connection(factory(), UnixConnectOptions{}));
        }) == "ValueError: no path and sock were specified");
  CHECK(error_of([&] { static_cast<void>(create_unix_connection(factory(), {.sock = &none})); }) ==
        "ValueError: A UNIX Domain Stream Socket was expected, got <Socket fd=-1, family=0, "
        "type=0, proto=0>");
}

TEST_CASE_FIXTURE(UnixSockets, "create_unix_connection: a TCP socket is refused, and stays") {
  theirs(kernel.listen_on(80));
  Socket tcp(calls, kernel.dial(80));
  CHECK(error_of([&] {
          static_cast<void>(create_unix_connection(factory(), {.sock = &tcp}));
        }).starts_with("ValueError: A UNIX Domain Stream Socket was expected, got <Socket fd="));
  CHECK(tcp.valid());
}

TEST_CASE_FIXTURE(UnixSockets,
                  "create_unix_connection: a path that is none never reaches connect") {
  CHECK(connect_error("") == "ValueError: path must not be empty");
  CHECK(connect_error("/run/a\0b"sv) == "ValueError: embedded null byte");
  CHECK(connect_error(too_long) == "OSError: AF_UNIX path too long");
  CHECK(calls.count(Call::socket) == 0);
}

TEST_CASE_FIXTURE(UnixSockets, "create_unix_connection: over a given socket, which it takes") {
  int fds[2];
  REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  theirs(fds[1]);
  Socket given(calls, fds[0]);
  const Connection<Recorder> made =
      loop.run_until_complete(create_unix_connection(factory(), {.sock = &given}));
  CHECK_FALSE(given.valid());
  kernel.put(fds[1], "data");
  run();
  CHECK(made.protocol->trace == "made data(data) ");
}

// ---- A full backlog: Linux says EAGAIN, and asyncio takes that for a connection (gh-117208).

TEST_CASE_FIXTURE(UnixSockets,
                  "B33: a full backlog makes connecting wait until the server accepts") {
  const int listener = theirs(kernel.listen_on_path(path, 0));
  theirs(kernel.dial_path(path));
  const auto task = loop.create_task(create_unix_connection(factory(), path));
  run(10s);
  CHECK_FALSE(task.done());
  CHECK(protocols.empty());
  theirs(kernel.accept_from(listener));
  run(1s);
  REQUIRE(task.done());
  CHECK(name_of(task.result(), "peername") == "'/run/weir.sock'");
}

TEST_CASE_FIXTURE(UnixSockets,
                  "full backlog: is asked about ever more rarely, ten times a second") {
  theirs(kernel.listen_on_path(path, 0));
  theirs(kernel.dial_path(path));
  const auto task = loop.create_task(create_unix_connection(factory(), path));
  run(100ms);  // After 0, 1, 3, 7, 15, 31 and 63 ms.
  CHECK(calls.count(Call::connect) == 7);
  run(10s);
  CHECK(calls.count(Call::connect) <= 7 + 101);
  CHECK(calls.count(Call::connect) >= 7 + 99);
  CHECK(calls.count(Call::socket) == 1);
  task.cancel();
  run();
}

TEST_CASE_FIXTURE(UnixSockets,
                  "B33: a deadline ends the wait for a full backlog, and closes the socket") {
  theirs(kernel.listen_on_path(path, 0));
  theirs(kernel.dial_path(path));
  const TimePoint start = loop.time();
  CHECK(error_of([&] {
          loop.run_until_complete(wait_for(create_unix_connection(factory(), path), 5s));
        }) == "TimeoutError");
  CHECK(loop.time() - start == 5s);
  CHECK(fds_of_ours().empty());
}

TEST_CASE_FIXTURE(UnixSockets, "full backlog: a server that goes away meanwhile is told") {
  const int listener = theirs(kernel.listen_on_path(path, 0));
  theirs(kernel.dial_path(path));
  const auto task = loop.create_task(create_unix_connection(factory(), path));
  run(1s);
  hang_up(listener);
  run(1s);
  CHECK(error_of([&] { task.result(); }) ==
        "ConnectionRefusedError: [Errno 111] Connection refused");
}

// ---- Serving

// CPython: test_events.py test_create_unix_server
TEST_CASE_FIXTURE(UnixSockets, "create_unix_server: listens, and gives each client a protocol") {
  const Server server = serve();
  const int client = theirs(kernel.dial_path(path));
  kernel.put(client, "hello");
  run();
  REQUIRE(protocols.size() == 1);
  CHECK(protocols[0]->trace == "made data(hello) ");
  CHECK(server.repr() == "<Server sockets='/run/weir.sock'>");
}

TEST_CASE_FIXTURE(UnixSockets, "create_unix_server: the client has no name, we have the path") {
  serve();
  theirs(kernel.dial_path(path));
  run();
  const auto& transport = protocols.at(0)->transport;
  CHECK(transport->get_extra_info("peername").endpoint()->repr() == "''");
  CHECK(transport->get_extra_info("sockname").endpoint()->repr() == "'/run/weir.sock'");
}

TEST_CASE_FIXTURE(UnixSockets,
                  "create_unix_server: without start_serving it is bound, not served") {
  const Server server = serve(path, {.start_serving = false});
  CHECK(kernel.has_file(path));
  CHECK(kernel.dial_path(path) == -1);
  loop.run_until_complete(server.start_serving());
  CHECK(theirs(kernel.dial_path(path)) >= 0);
}

// CPython: test_unix_events.py test_create_unix_server_path_inetsock, ..._nopath_nosock,
// ..._path_sock
TEST_CASE_FIXTURE(UnixSockets, "create_unix_server: wrong arguments are refused") {
  Socket none;
  const auto given = [&](const UnixServerOptions& options) {
    return error_of([&] { static_cast<void>(create_unix_server(factory(), options)); });
  };
  CHECK(serve_error(path, {.sock = &none}) ==
        "ValueError: path and sock can not be specified at the same time");
  CHECK(given({}) == "ValueError: path was not specified, and no sock specified");
  CHECK(given({.sock = &none}) ==
        "ValueError: A UNIX Domain Stream Socket was expected, got <Socket fd=-1, family=0, "
        "type=0, proto=0>");
  CHECK(serve_error(path, {.backlog = -1}) == "ValueError: backlog must be >= 0, not -1");
  CHECK(serve_error("") == "ValueError: path must not be empty");
  CHECK(serve_error("/run/a\0b"sv) == "ValueError: embedded null byte");
  CHECK(serve_error(too_long) == "OSError: AF_UNIX path too long");
  CHECK(calls.count(Call::socket) == 0);
}

// CPython: test_unix_events.py test_create_unix_server_existing_path_nonsock
TEST_CASE_FIXTURE(UnixSockets, "create_unix_server: a file or directory at the path stays") {
  for (const mode_t kind : {mode_t{S_IFREG}, mode_t{S_IFDIR}}) {
    kernel.add_file(path, kind);
    CHECK(serve_error() == "OSError: [Errno 98] Address '/run/weir.sock' is already in use");
    CHECK(kernel.has_file(path));
    CHECK(fds_of_ours().empty());
  }
}

TEST_CASE_FIXTURE(UnixSockets, "create_unix_server: an abstract name that is taken is named") {
  theirs(kernel.listen_on_path(abstract_name));
  CHECK(serve_error(abstract_name) ==
        R"(OSError: [Errno 98] Address '\x00weir' is already in use)");
}

TEST_CASE_FIXTURE(UnixSockets, "create_unix_server: any other failure to bind is told as it is") {
  kernel.script(Call::bind, {.error = EACCES});
  CHECK(serve_error() == "PermissionError: [Errno 13] Permission denied");
  kernel.script(Call::socket, {.error = EMFILE});
  CHECK(serve_error() == "OSError: [Errno 24] Too many open files");
  CHECK(fds_of_ours().empty());
}

TEST_CASE_FIXTURE(UnixSockets, "create_unix_server: a listen that fails leaves no file") {
  kernel.script(Call::listen, {.error = ENOBUFS});
  CHECK(serve_error() == "OSError: [Errno 105] No buffer space available");
  CHECK(fds_of_ours().empty());
  CHECK_FALSE(kernel.has_file(path));
}

TEST_CASE_FIXTURE(UnixSockets, "create_unix_server: cancelled in any pass, it leaves no file") {
  for (int passes = 0; passes < 4; ++passes) {
    CAPTURE(passes);
    const auto task = loop.create_task(create_unix_server(factory(), path));
    for (int i = 0; i < passes; ++i) pass();
    task.cancel();
    run();
    if (!task.cancelled()) task.result().close();
    CHECK(fds_of_ours().empty());
    CHECK_FALSE(kernel.has_file(path));
  }
}

// ---- A socket is there already

// CPython: test_unix_events.py test_create_unix_server_existing_path_sock
TEST_CASE_FIXTURE(UnixSockets, "stale path: a socket that a dead server has left is replaced") {
  kernel.add_file(path, S_IFSOCK);
  serve();
  CHECK(theirs(kernel.dial_path(path)) >= 0);
  CHECK(logged.empty());
}

// gh-121252: asyncio removes the path of a server that is alive.
TEST_CASE_FIXTURE(UnixSockets, "B29: a path that somebody listens at is not stolen") {
  const int listener = theirs(kernel.listen_on_path(path));
  CHECK(serve_error() == "OSError: [Errno 98] Address '/run/weir.sock' is already in use");
  theirs(kernel.accept_from(listener));  // Our question.
  CHECK(theirs(kernel.dial_path(path)) >= 0);
  CHECK(fds_of_ours().empty());
}

TEST_CASE_FIXTURE(UnixSockets, "stale path: a server whose backlog is full is alive") {
  theirs(kernel.listen_on_path(path, 0));
  theirs(kernel.dial_path(path));
  CHECK(serve_error() == "OSError: [Errno 98] Address '/run/weir.sock' is already in use");
  CHECK(kernel.has_file(path));
}

TEST_CASE_FIXTURE(UnixSockets, "stale path: a datagram socket is alive") {
  kernel.add_file(path, S_IFSOCK);
  kernel.script(Call::connect, {.error = EPROTOTYPE});
  CHECK(serve_error() == "OSError: [Errno 98] Address '/run/weir.sock' is already in use");
  CHECK(kernel.has_file(path));
  CHECK(logged.empty());  // It was understood, not only refused by bind().
}

TEST_CASE_FIXTURE(UnixSockets, "stale path: one that cannot be asked about stays, and is logged") {
  kernel.add_file(path, S_IFSOCK);
  kernel.script(Call::connect, {.error = EACCES});
  CHECK(serve_error() == "OSError: [Errno 98] Address '/run/weir.sock' is already in use");
  CHECK(kernel.has_file(path));
  CHECK(logged == std::vector<std::string>{
                      "error: Unable to check or remove stale UNIX socket '/run/weir.sock': "
                      "PermissionError(13, 'Permission denied')"});
}

TEST_CASE_FIXTURE(UnixSockets, "stale path: out of descriptors for the question, it stays") {
  kernel.add_file(path, S_IFSOCK);
  kernel.script(Call::socket, {.error = EMFILE});
  CHECK(serve_error() == "OSError: [Errno 98] Address '/run/weir.sock' is already in use");
  CHECK(logged == std::vector<std::string>{
                      "error: Unable to check or remove stale UNIX socket '/run/weir.sock': "
                      "OSError(24, 'Too many open files')"});
}

// CPython: test_unix_events.py test_create_unix_server_path_stream_bittype and others.
TEST_CASE_FIXTURE(UnixSockets,
                  "stale path: a path that cannot be looked at is logged, then bound") {
  kernel.script(Call::stat, {.error = EACCES});
  serve();
  CHECK(theirs(kernel.dial_path(path)) >= 0);
  CHECK(logged == std::vector<std::string>{
                      "error: Unable to check or remove stale UNIX socket '/run/weir.sock': "
                      "PermissionError(13, 'Permission denied')"});
}

TEST_CASE_FIXTURE(UnixSockets, "stale path: one that cannot be removed is logged, and in use") {
  kernel.add_file(path, S_IFSOCK);
  kernel.script(Call::unlink, {.error = EPERM});
  CHECK(serve_error() == "OSError: [Errno 98] Address '/run/weir.sock' is already in use");
  CHECK(logged == std::vector<std::string>{
                      "error: Unable to check or remove stale UNIX socket '/run/weir.sock': "
                      "PermissionError(1, 'Operation not permitted')"});
}

TEST_CASE_FIXTURE(UnixSockets, "stale path: one that disappears meanwhile is no error") {
  kernel.add_file(path, S_IFSOCK);
  kernel.script(Call::connect, {.error = ENOENT});
  kernel.script(Call::bind, {.error = EACCES});  // Only to see that it gets there.
  CHECK(serve_error() == "PermissionError: [Errno 13] Permission denied");
  kernel.script(Call::unlink, {.error = ENOENT});
  kernel.script(Call::bind, {.error = EACCES});
  CHECK(serve_error() == "PermissionError: [Errno 13] Permission denied");
  CHECK(logged.empty());
}

// Two servers that start at once find the same dead socket; the second must not remove the first.
TEST_CASE_FIXTURE(UnixSockets, "B29: a path that another server has taken meanwhile is kept") {
  kernel.add_file(path, S_IFSOCK);
  kernel.advance(1h);
  kernel.script(Call::connect, {.error = ECONNREFUSED});
  kernel.set_call_hook([&](Call call) {
    if (call != Call::connect) return;
    kernel.set_call_hook(nullptr);
    REQUIRE(kernel.unlink(path) == 0);
    theirs(kernel.listen_on_path(path));
  });
  CHECK(serve_error() == "OSError: [Errno 98] Address '/run/weir.sock' is already in use");
  CHECK(theirs(kernel.dial_path(path)) >= 0);
}

// ---- What close() leaves

// CPython: test_server.py test_unix_server_addr_cleanup
TEST_CASE_FIXTURE(UnixSockets, "cleanup: close removes the file") {
  const Server server = serve();
  CHECK(kernel.has_file(path));
  server.close();
  CHECK_FALSE(kernel.has_file(path));
}

TEST_CASE_FIXTURE(UnixSockets, "cleanup: one that never served removes its file, too") {
  {
    const Server server = serve(path, {.start_serving = false});
  }
  CHECK_FALSE(kernel.has_file(path));
}

TEST_CASE_FIXTURE(UnixSockets, "cleanup: closing the loop removes the file") {
  serve();
  loop.close();
  CHECK_FALSE(kernel.has_file(path));
}

// CPython: test_server.py test_unix_server_cleanup_prevented
TEST_CASE_FIXTURE(UnixSockets, "cleanup: told not to, close leaves the file") {
  serve(path, {.cleanup_socket = false}).close();
  CHECK(kernel.has_file(path));
}

// CPython: test_server.py test_unix_server_cleanup_replaced
TEST_CASE_FIXTURE(UnixSockets, "cleanup: a file that has taken the path's place is kept") {
  const Server server = serve();
  kernel.add_file(path, S_IFSOCK);
  server.close();
  CHECK(kernel.has_file(path));
}

// CPython: test_server.py test_unix_server_cleanup_gone
TEST_CASE_FIXTURE(UnixSockets, "cleanup: a file that is gone is no error") {
  const Server server = serve();
  REQUIRE(kernel.unlink(path) == 0);
  server.close();
  CHECK(logged.empty());
}

TEST_CASE_FIXTURE(UnixSockets, "cleanup: a failure is logged") {
  const Server server = serve();
  kernel.script(Call::unlink, {.error = EACCES});
  server.close();
  CHECK(logged == std::vector<std::string>{
                      "error: Unable to clean up listening UNIX socket '/run/weir.sock': "
                      "PermissionError(13, 'Permission denied')"});
}

TEST_CASE_FIXTURE(UnixSockets,
                  "cleanup: a new file that cannot be looked at is logged, and stays") {
  kernel.script(Call::stat, {.error = ENOENT});  // That nothing is in the way.
  kernel.script(Call::stat, {.error = EACCES});
  const Server server = serve();
  CHECK(logged == std::vector<std::string>{
                      "error: Unable to clean up listening UNIX socket '/run/weir.sock': "
                      "PermissionError(13, 'Permission denied')"});
  server.close();
  CHECK(kernel.has_file("/run/weir.sock"));
}

TEST_CASE_FIXTURE(UnixSockets, "cleanup: the file goes before the socket") {
  const Server server = serve();
  std::vector<Call> order;
  kernel.set_call_hook([&](Call call) { order.push_back(call); });
  server.close();
  CHECK(order == std::vector{Call::stat, Call::unlink, Call::close});
}

// gh-133354
TEST_CASE_FIXTURE(UnixSockets, "cleanup: the file of a given socket is kept, unless asked") {
  serve_given().close();
  CHECK(kernel.has_file(path));
  REQUIRE(kernel.unlink(path) == 0);
  serve_given({.cleanup_socket = true}).close();
  CHECK_FALSE(kernel.has_file(path));
}

TEST_CASE_FIXTURE(UnixSockets, "cleanup: an abstract name has no file") {
  serve(abstract_name).close();
  CHECK(calls.count(Call::stat) == 0);
  CHECK(calls.count(Call::unlink) == 0);
}

TEST_SUITE_END();
