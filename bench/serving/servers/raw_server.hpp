// Internal: used by the floors, raw_echo.cpp and raw_lines.cpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace weir::bench {

inline constexpr std::size_t receive_bytes = 256 * 1024;  // asyncio's and weir's read size.

[[noreturn]] inline void die(const char* call) {
  std::perror(call);
  std::exit(1);
}

/// One client of a floor.
struct RawConnection {
  int fd;
  std::string unsent;   // What the socket had no room for. While there is some, nothing is read.
  std::string partial;  // The beginning of a line whose end has not come; of line servers.
};

/// The least that a server on epoll does: level-triggered, one recv for a readiness, answers at
/// once. `Answer` turns what arrived into what is sent: answer(connection, bytes) returns a view.
template <class Answer>
class RawServer {
 public:
  explicit RawServer(Answer answer) : answer_(answer), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, any, length) != 0) die("bind");
    if (::listen(listener_, 1024) != 0) die("listen");
    ::getsockname(listener_, any, &length);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
    std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
  }

  [[noreturn]] void serve() {
    epoll_event events[256];
    for (;;) {
      const int count = ::epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        auto* const connection = static_cast<RawConnection*>(events[i].data.ptr);
        if (connection == nullptr) {
          accept_all();
        } else if ((events[i].events & EPOLLOUT) != 0) {
          write_ready(*connection);
        } else {
          read_ready(*connection);
        }
      }
    }
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto* const connection = new RawConnection{fd, {}, {}};
      epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  void read_ready(RawConnection& connection) {
    const ssize_t got = ::recv(connection.fd, buffer_.data(), buffer_.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return end(connection);
    const auto answer = answer_(connection, buffer_.data(), static_cast<std::size_t>(got));
    if (!answer.empty()) send(connection, answer.data(), answer.size());
  }

  void send(RawConnection& connection, const char* data, std::size_t bytes) {
    ssize_t sent = ::send(connection.fd, data, bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return end(connection);
    if (sent < 0) sent = 0;
    const auto done = static_cast<std::size_t>(sent);
    if (done == bytes) return;
    connection.unsent.assign(data + done, bytes - done);
    watch(connection, EPOLLOUT);
  }

  void write_ready(RawConnection& connection) {
    std::string& unsent = connection.unsent;
    const ssize_t sent = ::send(connection.fd, unsent.data(), unsent.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return end(connection);
    unsent.erase(0, static_cast<std::size_t>(sent));
    if (unsent.empty()) watch(connection, EPOLLIN);
  }

  void watch(RawConnection& connection, std::uint32_t events) const {
    epoll_event event{.events = events, .data = {.ptr = &connection}};
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
  }

  void end(RawConnection& connection) const {
    ::close(connection.fd);
    delete &connection;
  }

  Answer answer_;
  int epoll_;
  int listener_;
  std::vector<char> buffer_ = std::vector<char>(receive_bytes);
};

}  // namespace weir::bench
