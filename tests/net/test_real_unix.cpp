// SPDX-License-Identifier: MIT
//
// Unix sockets of the real kernel: what the fake one claims about paths, names and backlogs.
#include <doctest/doctest.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net/unix_connect.hpp>
#include <weir/net/unix_server.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>

#include <tests/net/net_loop.hpp>
#include <tests/net/recorder.hpp>

using namespace weir;
using weir::test::error_of;
using weir::test::Recorder;

namespace {

/// A loop on the real kernel, and a directory for its sockets.
struct RealUnix {
  RealUnix() {
    std::string name = "/tmp/weir-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    directory = name;
    path = directory + "/s";
  }
  ~RealUnix() {
    loop.close();
    ::unlink(path.c_str());
    CHECK(::rmdir(directory.c_str()) == 0);
  }

  auto factory() {
    return [this] {
      protocols.push_back(std::make_shared<Recorder>());
      return protocols.back();
    };
  }
  Server serve(std::string_view at) {
    return loop.run_until_complete(create_unix_server(factory(), at));
  }
  Connection<Recorder> connect(std::string_view to) {
    return loop.run_until_complete(create_unix_connection(factory(), to));
  }
  /// Passes that do not wait.
  void settle() {
    for (int i = 0; i < 20; ++i) {
      loop.stop();
      loop.run_forever();
    }
  }
  Socket raw(int type = SOCK_STREAM) {
    int error = 0;
    Socket socket = Socket::open(Kernel::posix(), AF_UNIX, type, 0, error);
    REQUIRE(error == 0);
    return socket;
  }
  bool exists() const {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0;
  }
  static std::string names(const std::shared_ptr<Recorder>& protocol) {
    const auto& transport = protocol->transport;
    return transport->get_extra_info("sockname").endpoint()->repr() + " " +
           transport->get_extra_info("peername").endpoint()->repr();
  }

  std::string directory;
  std::string path;
  std::vector<std::shared_ptr<Recorder>> protocols;
  EventLoop loop;
};

}  // namespace

TEST_SUITE_BEGIN("net/real_unix");

TEST_CASE_FIXTURE(RealUnix, "real unix: a server and its client have the path, each on its side") {
  const Server server = serve(path);
  const Connection<Recorder> made = connect(path);
  made.transport->write("hello");
  settle();
  REQUIRE(protocols.size() == 2);
  CHECK(protocols[0] == made.protocol);
  CHECK(protocols[1]->received == "hello");
  CHECK(names(protocols[0]) == "'' '" + path + "'");
  CHECK(names(protocols[1]) == "'" + path + "' ''");
}

TEST_CASE_FIXTURE(RealUnix, "real unix: an abstract name works, and leaves no file") {
  const std::string name = '\0' + path;
  const Server server = serve(name);
  connect(name);
  CHECK(names(protocols[0]) == R"('' '\x00)" + path + "'");
  CHECK_FALSE(exists());
}

TEST_CASE_FIXTURE(RealUnix, "real unix: the file goes with the server, not one that replaced it") {
  serve(path).close();
  CHECK_FALSE(exists());
  const Server server = serve(path);
  REQUIRE(::unlink(path.c_str()) == 0);
  Socket other = raw();
  REQUIRE(other.bind(Endpoint::at_path(path)) == 0);
  server.close();
  CHECK(exists());
}

TEST_CASE_FIXTURE(RealUnix, "real unix: a dead path is replaced, a live one is not") {
  raw().bind(Endpoint::at_path(path));
  CHECK(exists());
  const Server server = serve(path);
  const std::string in_use = "OSError: [Errno 98] Address '" + path + "' is already in use";
  CHECK(error_of([&] { serve(path); }) == in_use);
  CHECK(connect(path).protocol->trace == "made ");
  server.close();
  Socket datagrams = raw(SOCK_DGRAM);
  REQUIRE(datagrams.bind(Endpoint::at_path(path)) == 0);
  CHECK(error_of([&] { serve(path); }) == in_use);
}

TEST_CASE_FIXTURE(RealUnix, "B33: a full backlog is waited for, as the fake kernel has it") {
  Socket listener = raw();
  REQUIRE(listener.bind(Endpoint::at_path(path)) == 0);
  REQUIRE(listener.listen(1) == 0);
  std::vector<Socket> waiting;
  int error = 0;
  while (error == 0) {
    waiting.push_back(raw());
    error = waiting.back().connect(Endpoint::at_path(path));
  }
  CHECK(error == EAGAIN);
  CHECK(waiting.size() == 1 + 2);  // One more than listen() was told, and the one that failed.
  const auto task = loop.create_task(create_unix_connection(factory(), path));
  settle();
  CHECK_FALSE(task.done());
  Endpoint peer;
  const Socket accepted = listener.accept(peer, error);
  REQUIRE(accepted.valid());
  loop.run_until_complete(task);
  CHECK(names(protocols.at(0)) == "'' '" + path + "'");
}

// redis CVE-2023-45145: a socket that listens before its mode is set.
TEST_CASE_FIXTURE(RealUnix, "B29: a path can be given its mode before anybody can connect to it") {
  const Server server =
      loop.run_until_complete(create_unix_server(factory(), path, {.start_serving = false}));
  CHECK(error_of([&] { connect(path); }) ==
        "ConnectionRefusedError: [Errno 111] Connection refused");
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  loop.run_until_complete(server.start_serving());
  CHECK(connect(path).protocol->trace == "made ");
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_SUITE_END();
