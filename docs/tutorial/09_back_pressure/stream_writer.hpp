// Internal: used by streams.hpp, echo.cpp.
// SPDX-License-Identifier: MIT
// Bytes go out, as fast as the other side takes them.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "loop.hpp"
#include "task.hpp"
#include "transport.hpp"

/// The connection was lost: nobody will read what is written.
class ConnectionResetError : public std::runtime_error {
 public:
  ConnectionResetError() : std::runtime_error("connection lost") {}
};

class StreamWriter {
 public:
  StreamWriter(EventLoop& loop, std::shared_ptr<Transport> transport)
      : loop_(loop), transport_(std::move(transport)) {}

  // [write]
  void write(std::string_view data) { transport_->write(data); }
  void write_eof() { transport_->write_eof(); }
  void close() { transport_->close(); }

  /// Waits until there is room to write more. Say it after each write.
  Coro<> drain() {
    while (paused_ && !lost_) co_await change();
    if (lost_) throw ConnectionResetError();
  }

  /// Waits until the connection is gone: all was sent then, or never will be.
  Coro<> wait_closed() {
    while (!lost_) co_await change();
  }
  // [/write]

  // [protocol]
  // What the protocol hears from the transport, it says here.
  void pause_writing() { paused_ = true; }
  void resume_writing() {
    paused_ = false;
    wake();
  }
  void connection_lost() {
    lost_ = true;
    wake();
  }
  // [/protocol]

 private:
  /// Done when one of the flags has changed.
  Future<bool> change() {
    waiter_ = Future<bool>(loop_);
    return *waiter_;
  }
  void wake() {
    if (waiter_) std::exchange(waiter_, std::nullopt)->set_result(true);
  }

  EventLoop& loop_;
  std::shared_ptr<Transport> transport_;
  bool paused_ = false;
  bool lost_ = false;
  std::optional<Future<bool>> waiter_;
};
