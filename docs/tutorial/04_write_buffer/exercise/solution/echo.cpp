// SPDX-License-Identifier: MIT
// Step 4, the exercise: count to LAST, as fast as the client reads, and keep little.
//
//     ./echo PORT LAST
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
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
  Connection(EventLoop& loop, int fd, long last) : loop_(loop), fd_(fd), last_(last) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(fd_); }

  void start() {
    loop_.add_reader(fd_, [self = shared_from_this()] { self->read_ready(); });
    loop_.add_writer(fd_, [self = shared_from_this()] { self->write_ready(); });
  }

 private:
  // Nothing is expected from the client, but its end.
  void read_ready() {
    char bytes[4096];
    const ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) lose();
  }

  /// The next numbers, each on a line. Empty behind the last one.
  std::string next_numbers() {
    std::string numbers;
    while (next_ <= last_ && numbers.size() < 16 * 1024) numbers += std::to_string(next_++) + "\n";
    return numbers;
  }

  /// There is room in the kernel. This is the time to make more.
  void write_ready() {
    if (buffer_.empty()) buffer_ = next_numbers();
    if (buffer_.empty()) return loop_.remove_writer(fd_);
    const ssize_t sent = send(fd_, buffer_.data(), buffer_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return lose();
    buffer_.erase(0, static_cast<std::size_t>(sent));
  }

  /// The connection is broken.
  void lose() {
    loop_.remove_reader(fd_);
    loop_.remove_writer(fd_);
  }

  EventLoop& loop_;
  int fd_;
  long next_ = 1;
  long last_;
  std::string buffer_;  // Written, and not yet taken by the kernel.
};

void listener_ready(EventLoop& loop, int listener, long last) {
  const int client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0) return;  // It gave up before we came.
  std::make_shared<Connection>(loop, client, last)->start();
}

}  // namespace

int main(int argc, char** argv) {
  EventLoop loop;
  const int listener = listen_on(argc > 1 ? std::atoi(argv[1]) : 0);
  const long last = argc > 2 ? std::atol(argv[2]) : 10;
  loop.add_reader(listener, [&loop, listener, last] { listener_ready(loop, listener, last); });
  loop.run_forever();
}
