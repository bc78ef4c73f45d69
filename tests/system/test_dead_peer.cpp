// SPDX-License-Identifier: MIT
//
// A peer that is gone without a word: the link goes down under a connection, in a network of the
// test's own.

#include <doctest/doctest.h>

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <exception>
#include <memory>

#include <weir/net/connect.hpp>
#include <weir/net/server.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/run_until_complete.hpp>

using namespace weir;
using namespace std::chrono_literals;

namespace {

enum Exit { as_expected = 42, not_as_expected = 1, not_permitted = 77 };

/// Stops its loop when the connection is lost.
class Listening final : public Protocol {
 public:
  void connection_lost(const std::exception_ptr& its) override {
    lost = true;
    error = its;
    get_running_loop().stop();
  }
  bool lost = false;
  std::exception_ptr error;
};

bool set_loopback(bool up) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = up ? IFF_UP : 0;
  const bool done = fd >= 0 && ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  ::close(fd);
  return done;
}

/// After a second of silence it is asked, and has another one to answer. Off unless asked for.
void keep_alive(Transport& transport) {
  const TransportSocket socket = *transport.get_extra_info("socket").socket();
  socket.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1);
  socket.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, 1);
  socket.setsockopt(IPPROTO_TCP, TCP_KEEPINTVL, 1);
  socket.setsockopt(IPPROTO_TCP, TCP_KEEPCNT, 1);
}
/// A second for what was sent to be acknowledged.
void limit_unacknowledged(Transport& transport) {
  const TransportSocket socket = *transport.get_extra_info("socket").socket();
  socket.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
}

/// Connects, sets the option, cuts the link, writes if asked to, and waits for connection_lost.
Exit outlive(void (*option)(Transport&), bool writes) {
  if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
    return not_permitted;
  if (!set_loopback(true)) return not_permitted;
  EventLoop loop;
  const auto make = [] { return std::make_shared<Listening>(); };
  const Server server = loop.run_until_complete(create_server(make, "127.0.0.1", 0));
  const auto made = loop.run_until_complete(
      create_connection(make, "127.0.0.1", server.sockets().at(0).getsockname().port()));
  option(*made.transport);
  if (!set_loopback(false)) return not_permitted;
  if (writes) made.transport->write("Is anybody there?");
  loop.call_later(8s, [&] { loop.stop(); });
  loop.run_forever();
  const bool told = made.protocol->lost && made.protocol->error;
  loop.close();
  return told ? as_expected : not_as_expected;
}

int in_child(Exit (*body)()) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void check(Exit (*body)()) {
  const int code = in_child(body);
  if (code == not_permitted) MESSAGE("not shown: this system grants no network of one's own");
  const bool fine = code == as_expected || code == not_permitted;
  CHECK(fine);
}

}  // namespace

TEST_SUITE("system/dead_peer" * doctest::timeout(10)) {
  TEST_CASE("B89: a dead peer of a silent connection is noticed by the keepalive") {
    check([] { return outlive(keep_alive, false); });
  }

  TEST_CASE("B89: a dead peer is noticed when what was written is not acknowledged in time") {
    check([] { return outlive(limit_unacknowledged, true); });
  }
}
