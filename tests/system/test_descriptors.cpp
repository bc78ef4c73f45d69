// SPDX-License-Identifier: MIT
//
// The descriptors of a whole process: what a child would inherit, and what happens when there are
// no more.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/net/server.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/unique_fd.hpp>

using namespace weir;
using namespace std::chrono_literals;

namespace {

/// Counts those that live.
struct Counted final : Protocol {
  explicit Counted(int& its_count) : count(its_count) { ++count; }
  ~Counted() override { --count; }
  int& count;
};

std::set<int> open_fds() {
  std::set<int> fds;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    fds.insert(std::stoi(entry.path().filename()));
  }
  std::erase_if(fds, [](int fd) { return ::fcntl(fd, F_GETFD) < 0; });  // The list's own.
  return fds;
}

/// Leaves room for so many more descriptors, until it goes.
class Limit {
 public:
  explicit Limit(int more) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const UniqueFd lowest(Kernel::posix(), ::open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(lowest.get() + more);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
  ~Limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

/// Blocks until it is connected, which the backlog is enough for.
UniqueFd dial(std::uint16_t port) {
  UniqueFd fd(Kernel::posix(), ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

void run_for(EventLoop& loop, Duration duration) {
  loop.call_later(duration, [&] { loop.stop(); });
  loop.run_forever();
}

}  // namespace

TEST_SUITE_BEGIN("system/descriptors" * doctest::timeout(10));

// libuv 2a4cab70e, e9f75fb14: descriptors that children inherit.
TEST_CASE("B23: a program that is executed inherits no descriptor of ours") {
  const std::set<int> before = open_fds();
  int alive = 0;
  EventLoop loop;
  const auto factory = [&] { return std::make_shared<Counted>(alive); };
  const Server server = loop.run_until_complete(create_server(factory, "127.0.0.1", 0));
  const auto connection = loop.run_until_complete(
      create_connection(factory, "127.0.0.1", server.sockets().at(0).getsockname().port()));
  run_for(loop, 5ms);
  int ours = 0;
  for (const int fd : open_fds()) {
    if (before.contains(fd)) continue;
    CAPTURE(fd);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    ++ours;
  }
  // Poller, wake-up, listener, and both ends of the connection; poll() needs none for itself.
  const bool poll = Kernel::posix().make_poller()->name() == std::string_view("poll");
  CHECK(ours >= (poll ? 4 : 5));
  loop.close();
}

// libuv b3ab332b3, asyncio#78, bun#32705: 98 000 reports in ten seconds.
TEST_CASE("B25: at the limit of descriptors a listener rests, and serves when there are some") {
  int alive = 0;
  int reports = 0;
  CountingKernel kernel(Kernel::posix());
  EventLoop loop(kernel);
  loop.set_exception_handler([&](EventLoop&, const ExceptionContext& report) {
    CHECK(report.message == "socket.accept() out of system resource");
    ++reports;
  });
  const auto factory = [&] { return std::make_shared<Counted>(alive); };
  const Server server = loop.run_until_complete(create_server(factory, "127.0.0.1", 0));
  const std::uint16_t port = server.sockets().at(0).getsockname().port();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 64; ++i) clients.push_back(dial(port));
  {
    const Limit limit(8);
    run_for(loop, 200ms);
    CHECK(alive == 8);
    CHECK(kernel.count(Call::accept) == 9);
    CHECK(reports == 1);
    CHECK(loop.timers().size() == 1);
  }
  run_for(loop, 1100ms);
  CHECK(alive == 64);
  CHECK(reports == 1);
  loop.close();
}

TEST_SUITE_END();
