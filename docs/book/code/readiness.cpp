// SPDX-License-Identifier: MIT
// What the chapter "Readiness" shows. The edge is Linux's epoll itself, on a pipe.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <weir/reactor/poller/poller.hpp>

#include "stage.hpp"

using namespace std::chrono_literals;

namespace {

using book::Stage;

/// A pipe of the real kernel, and an epoll that watches its reading end.
struct Watched {
  explicit Watched(unsigned events) {
    REQUIRE(::pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    epoll_event event{};
    event.events = events;
    REQUIRE(::epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() {
    for (const int fd : {epoll, ends[0], ends[1]}) ::close(fd);
  }
  void write(const std::string& bytes) const {
    REQUIRE(::write(ends[1], bytes.data(), bytes.size()) > 0);
  }
  std::string read_one() const {
    char byte = 0;
    REQUIRE(::read(ends[0], &byte, 1) == 1);
    return std::string(1, byte);
  }
  bool reported() const {
    epoll_event event{};
    return ::epoll_wait(epoll, &event, 1, 0) == 1;
  }

  int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  int ends[2] = {-1, -1};
};

}  // namespace

TEST_SUITE("book/readiness") {
  TEST_CASE("readiness: a level is told as long as it holds, an edge once") {
    // [level]
    const Watched level(EPOLLIN);
    level.write("ab");
    CHECK(level.reported());
    CHECK(level.read_one() == "a");  // One of two bytes: "b" is still there,
    CHECK(level.reported());         // and so is the level.
    // [/level]

    // [edge]
    const Watched edge(EPOLLIN | EPOLLET);
    edge.write("ab");
    CHECK(edge.reported());
    CHECK(edge.read_one() == "a");
    CHECK_FALSE(edge.reported());  // "b" is there, but nothing has changed since.
    // [/edge]
    edge.write("c");
    CHECK(edge.reported());
  }

  TEST_CASE_FIXTURE(Stage, "readiness: weir's pollers tell a level") {
    int ends[2];
    REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, ends) == 0);
    // [poller]
    const std::unique_ptr<weir::Poller> poller = kernel.make_poller();
    CHECK(poller->set(ends[0], 7, weir::Interest::read) == 0);  // 7: a generation.
    kernel.put(ends[1], "ab");
    for (int turn = 0; turn < 2; ++turn) {
      std::vector<weir::Ready> ready;
      CHECK(poller->wait(0s, ready) == 0);
      CHECK(ready.size() == 1);
      CHECK(ready[0].fd == ends[0]);
      CHECK(ready[0].generation == 7);
      CHECK(ready[0].readable);
    }
    CHECK(poller->set(ends[0], 7, weir::Interest::none) == 0);
    // [/poller]
  }

  TEST_CASE_FIXTURE(Stage,
                    "readiness: an event for a number's last owner is not told to the next") {
    int left[2];
    int right[2];
    REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, left) == 0);
    REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, right) == 0);
    kernel.put(left[1], "x");
    kernel.put(right[1], "x");
    // [stale]
    // Both are ready in one wait. Serving the left one closes the right one, and a new socket gets
    // the number that is free.
    loop.add_reader(right[0], [this] { trace += "right "; });
    loop.add_reader(left[0], [this, left, right] {
      loop.remove_reader(left[0]);
      loop.remove_reader(right[0]);
      kernel.close(right[0]);
      int fresh[2];
      REQUIRE(kernel.socketpair(AF_UNIX, SOCK_STREAM, fresh) == 0);
      CHECK(fresh[0] == right[0]);
      loop.add_reader(fresh[0], [this] { trace += "newcomer "; });
      trace += "left ";
    });
    // [/stale]
    run_for(1ms);
    CHECK(trace == "left ");
    CHECK(loop.stats().stale_events == 1);
  }
}
