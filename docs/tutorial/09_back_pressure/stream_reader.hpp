// Internal: used by streams.hpp, echo.cpp.
// SPDX-License-Identifier: MIT
// Bytes go in as they come, and out as somebody wants them.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "loop.hpp"
#include "task.hpp"
#include "transport.hpp"

// [errors]
/// The stream has ended before the separator came.
class IncompleteReadError : public std::runtime_error {
 public:
  explicit IncompleteReadError(std::string bytes)
      : std::runtime_error("the stream has ended too early"), partial(std::move(bytes)) {}
  std::string partial;  // What there was.
};

/// More than the limit came before a separator. The bytes are still in the reader.
class LimitOverrunError : public std::runtime_error {
 public:
  LimitOverrunError() : std::runtime_error("no separator within the limit") {}
};
// [/errors]

class StreamReader {
 public:
  StreamReader(EventLoop& loop, std::size_t limit) : loop_(loop), limit_(limit) {}

  void set_transport(std::shared_ptr<Transport> transport) { transport_ = std::move(transport); }

  // [feed]
  void feed_data(std::string_view data) {
    buffer_ += data;
    if (transport_ && buffer_.size() > 2 * limit_) transport_->pause_reading();
    wake();
  }
  void feed_eof() {
    eof_ = true;
    wake();
  }
  // [/feed]

  // [readuntil]
  /// Everything up to `separator`, and the separator. There may be `limit` bytes before it.
  Coro<std::string> readuntil(std::string separator) {
    std::size_t searched = 0;  // No separator begins before this byte.
    for (;;) {
      const std::size_t found = buffer_.find(separator, searched);
      if (found != std::string::npos) {
        if (found > limit_) throw LimitOverrunError();
        co_return take(found + separator.size());
      }
      // Its beginning may be there already: the last bytes must be looked at once more.
      if (buffer_.size() >= separator.size()) searched = buffer_.size() - separator.size() + 1;
      if (searched > limit_) throw LimitOverrunError();
      if (eof_) throw IncompleteReadError(take(buffer_.size()));
      co_await more();
    }
  }
  // [/readuntil]

 private:
  // [wait]
  /// Done when something has been fed.
  Future<bool> more() {
    waiter_ = Future<bool>(loop_);
    return *waiter_;
  }
  void wake() {
    if (waiter_) std::exchange(waiter_, std::nullopt)->set_result(true);
  }
  // [/wait]

  // [take]
  std::string take(std::size_t count) {
    std::string taken = buffer_.substr(0, count);
    buffer_.erase(0, count);
    if (transport_ && buffer_.size() <= limit_) transport_->resume_reading();
    return taken;
  }
  // [/take]

  EventLoop& loop_;
  std::size_t limit_;
  std::shared_ptr<Transport> transport_;
  std::string buffer_;
  bool eof_ = false;
  std::optional<Future<bool>> waiter_;
};
