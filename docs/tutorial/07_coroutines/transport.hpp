// Internal: used by echo.cpp.
// SPDX-License-Identifier: MIT
// What all connections have in common. A Transport moves bytes; what they mean, its Protocol knows.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "loop.hpp"

class Transport;

// [protocol]
/// What a transport calls: connection_made, data_received any number of times, eof_received at most
/// once, connection_lost. The first and the last come once, whatever happens.
class Protocol {
 public:
  Protocol() = default;
  Protocol(const Protocol&) = delete;
  Protocol& operator=(const Protocol&) = delete;
  virtual ~Protocol() = default;

  virtual void connection_made(const std::shared_ptr<Transport>& transport) = 0;
  /// Some bytes, one or more, cut anywhere.
  virtual void data_received(std::string_view data) = 0;
  /// The other side sends no more. False: close the connection. True: we still have to write.
  virtual bool eof_received() { return false; }
  /// The last call. 0 after close() and abort(), else the errno of what went wrong.
  virtual void connection_lost(int error) = 0;
};
// [/protocol]

// [transport]
class Transport : public std::enable_shared_from_this<Transport> {
 public:
  Transport(EventLoop& loop, int fd, std::shared_ptr<Protocol> protocol)
      : loop_(loop), fd_(fd), protocol_(std::move(protocol)) {}
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  ~Transport() {
    if (fd_ >= 0) ::close(fd_);
  }

  void start() {
    protocol_->connection_made(shared_from_this());
    if (!closing_) loop_.add_reader(fd_, [self = shared_from_this()] { self->read_ready(); });
  }
  // [/transport]

  // [write]
  /// Sends what the kernel takes now, and keeps the rest.
  void write(std::string_view data) {
    if (closing_ || ending_) return;
    if (buffer_.empty()) {
      const ssize_t sent = send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return lose(errno);
      if (sent > 0) data.remove_prefix(static_cast<std::size_t>(sent));
      if (data.empty()) return;
      loop_.add_writer(fd_, [self = shared_from_this()] { self->write_ready(); });
    }
    buffer_ += data;
  }
  // [/write]

  // [close]
  /// We send no more: the other side hears of it behind all that was written.
  void write_eof() {
    if (closing_ || ending_) return;
    ending_ = true;
    if (buffer_.empty()) shutdown(fd_, SHUT_WR);
  }

  /// Ends, when all that was written is sent.
  void close() {
    if (closing_) return;
    closing_ = true;
    loop_.remove_reader(fd_);
    if (buffer_.empty()) lose(0);
  }

  /// Ends now.
  void abort() { lose(0); }

  bool is_closing() const { return closing_; }
  // [/close]

 private:
  // [ready]
  void read_ready() {
    char bytes[16 * 1024];
    const ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return lose(errno);
    if (count > 0) return protocol_->data_received({bytes, static_cast<std::size_t>(count)});
    loop_.remove_reader(fd_);
    if (!protocol_->eof_received()) close();
  }

  /// There is room in the kernel again.
  void write_ready() {
    const ssize_t sent = send(fd_, buffer_.data(), buffer_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return lose(errno);
    buffer_.erase(0, static_cast<std::size_t>(sent));
    if (!buffer_.empty()) return;
    loop_.remove_writer(fd_);
    if (closing_) return lose(0);
    if (ending_) shutdown(fd_, SHUT_WR);
  }
  // [/ready]

  // [lose]
  /// The connection is over. The protocol hears of it in the next pass: we may be deep inside one
  /// of its own calls.
  void lose(int error) {
    if (lost_) return;
    lost_ = closing_ = true;
    buffer_.clear();
    loop_.remove_reader(fd_);
    loop_.remove_writer(fd_);
    loop_.call_soon([self = shared_from_this(), error] {
      const std::shared_ptr<Protocol> protocol = std::move(self->protocol_);
      protocol->connection_lost(error);
      ::close(std::exchange(self->fd_, -1));
    });
  }
  // [/lose]

  EventLoop& loop_;
  int fd_;
  std::shared_ptr<Protocol> protocol_;
  std::string buffer_;    // Written, and not yet taken by the kernel.
  bool ending_ = false;   // write_eof() was called.
  bool closing_ = false;  // No callbacks any more, but connection_lost.
  bool lost_ = false;     // Nothing is sent any more.
};

// [listen]
/// A socket that clients can connect to; accept4() on it never waits. Port 0 lets the kernel
/// choose.
inline int listen_on(int port) {
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
// [/listen]

// [server]
using ProtocolFactory = std::function<std::shared_ptr<Protocol>()>;

/// Gives each client that connects a transport, and a protocol made by `factory`. Returns the
/// listener.
inline int create_server(EventLoop& loop, const ProtocolFactory& factory, int port) {
  const int listener = listen_on(port);
  loop.add_reader(listener, [&loop, factory, listener] {
    const int client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;  // It gave up before we came.
    std::make_shared<Transport>(loop, client, factory())->start();
  });
  return listener;
}
// [/server]
