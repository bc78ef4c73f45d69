// Internal: used by streams.hpp, echo.cpp.
// SPDX-License-Identifier: MIT
// Step 8, the exercise: readuntil() looks at every byte once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "loop.hpp"
#include "task.hpp"

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

class StreamReader {
 public:
  StreamReader(EventLoop& loop, std::size_t limit) : loop_(loop), limit_(limit) {}

  void feed_data(std::string_view data) {
    buffer_ += data;
    wake();
  }
  void feed_eof() {
    eof_ = true;
    wake();
  }

  /// Everything up to `separator`, and the separator. There may be `limit` bytes before it.
  // Your turn: each wake-up searches all that is there, from the first byte on.
  Coro<std::string> readuntil(std::string separator) {
    const std::size_t from = 0;
    for (;;) {
      const std::size_t found = find(separator, from);
      if (found != std::string::npos) {
        if (found > limit_) throw LimitOverrunError();
        co_return take(found + separator.size());
      }
      if (buffer_.size() > limit_ + separator.size()) throw LimitOverrunError();
      if (eof_) throw IncompleteReadError(take(buffer_.size()));
      co_await more();
    }
  }

  /// How many bytes were looked at, so far.
  std::size_t searched() const { return searched_; }

 private:
  /// Done when something has been fed.
  Future<bool> more() {
    waiter_ = Future<bool>(loop_);
    return *waiter_;
  }
  void wake() {
    if (waiter_) std::exchange(waiter_, std::nullopt)->set_result(true);
  }

  /// Where `separator` begins, at byte `from` or behind it; npos if it does not. Counts.
  std::size_t find(const std::string& separator, std::size_t from) {
    const std::size_t found = buffer_.find(separator, from);
    const std::size_t end = found == std::string::npos ? buffer_.size() : found + separator.size();
    searched_ += end - std::min(from, end);
    return found;
  }

  std::string take(std::size_t count) {
    std::string taken = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return taken;
  }

  EventLoop& loop_;
  std::size_t limit_;
  std::string buffer_;
  std::size_t searched_ = 0;
  bool eof_ = false;
  std::optional<Future<bool>> waiter_;
};
