// Internal: used by the tests of net that need the real kernel.
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <weir/net/socket_transport.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/unique_fd.hpp>

#include <tests/net/recorder.hpp>

namespace weir::test {

inline Kernel& posix = Kernel::posix();

/// Those of every Linux, and the one that WEIR_POLLER names.
inline const std::vector<const char*> pollers = [] {
  static const std::string given =
      ::getenv("WEIR_POLLER") != nullptr ? ::getenv("WEIR_POLLER") : "";
  std::vector<const char*> names = {"epoll", "poll"};
  if (!given.empty() && given != names[0] && given != names[1]) names.push_back(given.c_str());
  return names;
}();

/// A listener on a free port of 127.0.0.1, and sockets that are connected through it. All of them
/// block.
class Loopback {
 public:
  Loopback() : listener_(posix, ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    REQUIRE(::listen(listener_.get(), 100) == 0);
    address_ = address_of(listener_.get());
  }
  static sockaddr_in address_of(int fd) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    return address;
  }
  static UniqueFd connect_to(const sockaddr_in& address) {
    UniqueFd fd(posix, ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return fd;
  }
  /// Ours, and the peer's.
  std::pair<UniqueFd, UniqueFd> connection() const {
    UniqueFd ours = connect_to(address_);
    return {std::move(ours),
            UniqueFd(posix, ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC))};
  }

 private:
  UniqueFd listener_;
  sockaddr_in address_{};
};

/// Ours, and the peer's: two ends of a unix connection.
inline std::pair<UniqueFd, UniqueFd> unix_connection() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  return {UniqueFd(posix, fds[0]), UniqueFd(posix, fds[1])};
}

inline void put(const UniqueFd& fd, const std::string& text) {
  REQUIRE(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
}
inline void put_eof(const UniqueFd& fd) { REQUIRE(::shutdown(fd.get(), SHUT_WR) == 0); }
/// Closes with a reset.
inline void reset(UniqueFd& fd) {
  const linger at_once{1, 0};
  REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
  fd.reset();
}
/// Until poll(2) says one of `events` of `fd`; POLLHUP and POLLERR need not be asked for.
inline void wait_for_events(int fd, short events) {
  pollfd wanted{fd, events, 0};
  const bool came = ::poll(&wanted, 1, 10'000) == 1;
  REQUIRE(came);
}

/// A loop on the real kernel, counted, with one of its pollers.
class RealLoop {
 public:
  explicit RealLoop(const char* poller = nullptr) {
    const char* const set = ::getenv("WEIR_POLLER");
    const std::string before = set == nullptr ? "" : set;
    if (poller != nullptr) ::setenv("WEIR_POLLER", poller, 1);
    loop.emplace(calls);
    ::setenv("WEIR_POLLER", before.c_str(), 1);  // Empty is as good as unset.
    loop->set_exception_handler(
        [](EventLoop&, const ExceptionContext& report) { FAIL_CHECK(to_string(report)); });
  }
  RealLoop(const RealLoop&) = delete;
  RealLoop& operator=(const RealLoop&) = delete;
  ~RealLoop() { loop->close(); }

  std::shared_ptr<Recorder> start(UniqueFd ours, int protocol = IPPROTO_TCP) {
    auto recorder = std::make_shared<Recorder>();
    detail::SocketTransport::start(*loop, Socket(calls, ours.release(), protocol), recorder,
                                   Endpoint(), nullptr, {});
    return recorder;
  }
  /// One pass that does not wait.
  void pass() {
    loop->stop();
    loop->run_forever();
  }
  /// What is ready is done.
  void settle() {
    for (int i = 0; i < 20; ++i) pass();
  }
  /// What the poller would wake up for now.
  std::size_t ready_events() {
    std::vector<Ready> ready;
    REQUIRE(loop->poller().wait(Duration::zero(), ready) == 0);
    return ready.size();
  }
  /// Whether the poller comes to have nothing to wake up for. A loop that spins never does; what
  /// the kernel of a busy machine is late with takes a pass more.
  bool becomes_quiet() {
    for (int i = 0; i < 100; ++i) {
      if (ready_events() == 0) return true;
      pass();
    }
    return false;
  }

  CountingKernel calls{posix};
  std::optional<EventLoop> loop;
};

inline int fd_of(const Recorder& recorder) {
  return recorder.transport->get_extra_info("socket").socket()->fd();
}

}  // namespace weir::test
