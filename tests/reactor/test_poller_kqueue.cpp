// SPDX-License-Identifier: MIT
//
// What only this back end has to get right; test_poller.cpp has what holds for all.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <weir/reactor/kernel.hpp>
#include <weir/reactor/poller/poller.hpp>
#include <weir/reactor/unique_fd.hpp>

using namespace std::chrono_literals;
using weir::Interest;
using weir::Kernel;
using weir::Poller;
using weir::Ready;
using weir::UniqueFd;

namespace {

/// The number that the next descriptor gets.
int next_fd() {
  const int fd = ::dup(STDERR_FILENO);
  ::close(fd);
  return fd;
}

struct Rig {
  int kqueue_fd = next_fd();
  std::unique_ptr<Poller> poller = weir::make_kqueue_poller();

  std::vector<Ready> look() {
    std::vector<Ready> ready;
    REQUIRE(poller->wait(0ns, ready) == 0);
    return ready;
  }
};

struct Ends {
  UniqueFd first;
  UniqueFd second;
};

Ends socket_pair() {
  int fds[2];
  REQUIRE(Kernel::posix().socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
  return {UniqueFd(Kernel::posix(), fds[0]), UniqueFd(Kernel::posix(), fds[1])};
}

void send(const UniqueFd& fd, std::string text) {
  const iovec buffer{text.data(), text.size()};
  REQUIRE(Kernel::posix().send(fd.get(), {&buffer, 1}).ok());
}

/// What the kqueue itself says of a filter: 0 if it is registered, else errno.
int deleted(const Rig& rig, int fd, int filter) {
  struct kevent change{};
  change.ident = static_cast<std::uintptr_t>(fd);
  change.filter = static_cast<decltype(change.filter)>(filter);
  change.flags = EV_DELETE;
  return ::kevent(rig.kqueue_fd, &change, 1, nullptr, 0, nullptr) < 0 ? errno : 0;
}

}  // namespace

TEST_SUITE_BEGIN("reactor/poller_kqueue");

TEST_CASE("KqueuePoller: it is one descriptor, closed by exec") {
  const Rig rig;
  CHECK(::fcntl(rig.kqueue_fd, F_GETFD) == FD_CLOEXEC);
}

// The order is that of their becoming active: writing for all, reading for all.
TEST_CASE("KqueuePoller: two filters of several descriptors become one Ready each") {
  Rig rig;
  std::vector<Ends> pairs;
  for (std::uint32_t i = 0; i < 3; ++i) {
    pairs.push_back(socket_pair());
    REQUIRE(rig.poller->set(pairs[i].first.get(), i, Interest::read_write) == 0);
  }
  CHECK(rig.look().size() == 3);
  for (const Ends& pair : pairs) send(pair.second, "x");
  const std::vector<Ready> ready = rig.look();
  REQUIRE(ready.size() == 3);
  std::set<int> fds;
  for (const Ready& event : ready) {
    CHECK(event.readable);
    CHECK(event.writable);
    fds.insert(event.fd);
  }
  CHECK(fds.size() == 3);
}

TEST_CASE("KqueuePoller: a filter that is no longer wanted is deleted, the other one stays") {
  Rig rig;
  const Ends pair = socket_pair();
  REQUIRE(rig.poller->set(pair.first.get(), 1, Interest::read_write) == 0);
  REQUIRE(rig.poller->set(pair.first.get(), 1, Interest::read) == 0);
  CHECK(deleted(rig, pair.first.get(), EVFILT_WRITE) == ENOENT);
  CHECK(deleted(rig, pair.first.get(), EVFILT_READ) == 0);
}

TEST_CASE("KqueuePoller: no interest leaves no filter") {
  Rig rig;
  const Ends pair = socket_pair();
  REQUIRE(rig.poller->set(pair.first.get(), 1, Interest::read_write) == 0);
  REQUIRE(rig.poller->set(pair.first.get(), 1, Interest::none) == 0);
  CHECK(deleted(rig, pair.first.get(), EVFILT_WRITE) == ENOENT);
  CHECK(deleted(rig, pair.first.get(), EVFILT_READ) == ENOENT);
}

// The number has a new file, which knows nothing: EV_DELETE fails, and must not hide EV_ADD.
TEST_CASE("KqueuePoller: a delete that finds nothing does not stop the add beside it") {
  Rig rig;
  Ends pair = socket_pair();
  const int number = pair.first.get();
  REQUIRE(rig.poller->set(number, 1, Interest::read) == 0);
  pair.first.reset();
  const Ends newcomer = socket_pair();
  REQUIRE(newcomer.first.get() == number);
  CHECK(rig.poller->set(number, 2, Interest::write) == 0);
  CHECK(rig.look().size() == 1);
}

TEST_CASE("KqueuePoller: a filter thought to be there is added for the new file of its number") {
  Rig rig;
  Ends pair = socket_pair();
  const int number = pair.first.get();
  REQUIRE(rig.poller->set(number, 1, Interest::read) == 0);
  pair.first.reset();
  const Ends newcomer = socket_pair();
  REQUIRE(newcomer.first.get() == number);
  CHECK(rig.poller->set(number, 1, Interest::read_write) == 0);
  send(newcomer.second, "x");
  const std::vector<Ready> ready = rig.look();
  REQUIRE(ready.size() == 1);
  CHECK(ready[0].readable);
}

// The write end of a pipe without a reader takes no write filter, but it does take the other.
TEST_CASE("KqueuePoller: a change that fails leaves what was there before, with its generation") {
  Rig rig;
  int fds[2];
  REQUIRE(::pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
  UniqueFd reader(Kernel::posix(), fds[0]);
  const UniqueFd writer(Kernel::posix(), fds[1]);
  REQUIRE(rig.poller->set(writer.get(), 5, Interest::read) == 0);
  reader.reset();
  CHECK(rig.poller->set(writer.get(), 6, Interest::read_write) == EPIPE);
  CHECK(deleted(rig, writer.get(), EVFILT_WRITE) == ENOENT);
  CHECK(rig.poller->set(writer.get(), 5, Interest::read) == 0);  // It says so itself:
  CHECK(deleted(rig, writer.get(), EVFILT_READ) == 0);           // and it is so.
}

TEST_CASE("KqueuePoller: of two filters that are new, none is left if one fails") {
  Rig rig;
  int fds[2];
  REQUIRE(::pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
  UniqueFd reader(Kernel::posix(), fds[0]);
  const UniqueFd writer(Kernel::posix(), fds[1]);
  reader.reset();
  CHECK(rig.poller->set(writer.get(), 6, Interest::read_write) == EPIPE);
  CHECK(deleted(rig, writer.get(), EVFILT_READ) == ENOENT);
}

TEST_CASE("KqueuePoller: a time-out beyond what a timespec holds is a day") {
  Rig rig;
  std::vector<Ready> ready;
  rig.poller->wake();
  CHECK(rig.poller->wait(weir::Duration::max(), ready) == 0);
}

TEST_SUITE_END();
