// SPDX-License-Identifier: MIT
// Step 5, the exercise: beside its echo, every client gets "tick 1", "tick 2" and so on.
// Wrong on purpose: nobody cancels the timer.
//
//     ./echo PORT INTERVAL_IN_MILLISECONDS
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "loop.hpp"

namespace {

/// A socket that clients can connect to; accept4() on it never waits. Port 0 lets the kernel
/// choose.
int listen_on(int port) {
  const int kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const int listener = check(socket(AF_INET, kind, 0), "socket");
  const int on = 1;
  check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "setsockopt");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  socklen_t size = sizeof address;
  check(bind(listener, reinterpret_cast<sockaddr*>(&address), size), "bind");
  check(listen(listener, 128), "listen");
  check(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

/// One client. The loop's callbacks hold it; when the last of them is removed, it is gone.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(EventLoop& loop, int fd, Clock::duration interval)
      : loop_(loop), fd_(fd), interval_(interval) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(fd_); }

  void start() {
    loop_.add_reader(fd_, [self = shared_from_this()] { self->read_ready(); });
    loop_.call_later(interval_, [self = shared_from_this()] { self->tick(); });
  }

 private:
  void read_ready() {
    char bytes[4096];
    const ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return lose();
    if (count == 0) return loop_.remove_reader(fd_);
    write({bytes, static_cast<std::size_t>(count)});
  }

  /// Sends what the kernel takes now, and keeps the rest.
  void write(std::string_view data) {
    if (buffer_.empty()) {
      const ssize_t sent = send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return lose();
      if (sent > 0) data.remove_prefix(static_cast<std::size_t>(sent));
      if (data.empty()) return;
      loop_.add_writer(fd_, [self = shared_from_this()] { self->write_ready(); });
    }
    buffer_ += data;
  }

  /// There is room in the kernel again.
  void write_ready() {
    const ssize_t sent = send(fd_, buffer_.data(), buffer_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return lose();
    buffer_.erase(0, static_cast<std::size_t>(sent));
    if (buffer_.empty()) loop_.remove_writer(fd_);
  }

  void tick() {
    loop_.call_later(interval_, [self = shared_from_this()] { self->tick(); });
    write("tick " + std::to_string(++ticks_) + "\n");
  }

  /// The connection is broken.
  void lose() {
    loop_.remove_reader(fd_);
    loop_.remove_writer(fd_);
  }

  EventLoop& loop_;
  int fd_;
  Clock::duration interval_;
  int ticks_ = 0;
  std::string buffer_;  // Written, and not yet taken by the kernel.
};

void listener_ready(EventLoop& loop, int listener, Clock::duration interval) {
  const int client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0) return;  // It gave up before we came.
  std::make_shared<Connection>(loop, client, interval)->start();
}

}  // namespace

int main(int argc, char** argv) {
  EventLoop loop;
  const int listener = listen_on(argc > 1 ? std::atoi(argv[1]) : 0);
  const std::chrono::milliseconds interval(argc > 2 ? std::atoi(argv[2]) : 0);
  loop.add_reader(listener,
                  [&loop, listener, interval] { listener_ready(loop, listener, interval); });
  loop.run_forever();
}
