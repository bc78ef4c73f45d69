// Internal: used by the tests of StreamReader.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tests/streams/stream_fixture.hpp>

namespace weir::test {

/// asyncio's reader by its documented rules, as plainly as they can be written down: one string,
/// and a search from its start every time. It has its own idea of the loop's passes. Where weir
/// differs from asyncio on purpose, it says so.
class ReaderModel {
 public:
  struct Call {
    ReadCall what;
    std::string outcome = "PENDING";
    bool started = false;
    bool cancelled = false;
    bool failed = false;  // Woken by set_exception().
    bool done() const { return outcome != "PENDING"; }
  };

  explicit ReaderModel(std::size_t limit) : limit_(limit) {}

  // ---- What a protocol does

  /// False for the assertion "feed_data after feed_eof".
  bool feed(std::string_view data) {
    if (eof_) return false;
    if (data.empty()) return true;
    buffer_ += data;
    wake(false);
    if (!paused_ && buffer_.size() > 2 * limit_) {
      paused_ = true;
      flow_ += 'P';
    }
    return true;
  }
  void feed_eof() {
    eof_ = true;
    wake(false);
  }
  /// Always with ValueError("boom").
  void set_exception() {
    exception_ = true;
    wake(true);
  }

  // ---- What tasks do

  /// A task that makes one call. Its first step is in the next pass.
  Call& start(ReadCall what) {
    calls_.push_back(std::make_unique<Call>(Call{std::move(what)}));
    ready_.push_back(calls_.back().get());
    return *calls_.back();
  }
  void cancel(Call& call) {
    if (call.done() || call.cancelled) return;
    call.cancelled = true;
    if (waiter_ != &call) return;
    waiter_ = nullptr;  // weir: a cancelled wait is none, in the same pass already.
    ready_.push_back(&call);
  }
  void pass() {
    for (std::size_t left = ready_.size(); left > 0; --left) {
      Call& call = *ready_.front();
      ready_.pop_front();
      step(call);
    }
  }
  bool idle() const { return ready_.empty(); }

  const std::vector<std::unique_ptr<Call>>& calls() const { return calls_; }
  const std::string& buffer() const { return buffer_; }
  const std::string& flow() const { return flow_; }
  bool paused() const { return paused_; }
  bool at_eof() const { return eof_ && buffer_.empty(); }

 private:
  using Answer = std::optional<std::string>;  // Nothing: it has to wait.

  void wake(bool failed) {
    if (waiter_ == nullptr) return;
    waiter_->failed = failed;
    ready_.push_back(std::exchange(waiter_, nullptr));
  }

  void step(Call& call) {
    const bool first = !std::exchange(call.started, true);
    if (call.cancelled) {
      if (!first) give_back(call);
      call.outcome = "CancelledError";
      return;
    }
    Answer answer;
    if (first) answer = check(call.what);
    if (call.failed) answer = "ValueError: boom";
    if (!answer) answer = attempt(call);
    // weir: asyncio does not look at the exception again, and would wait for ever.
    if (!answer && exception_) answer = "ValueError: boom";
    if (!answer && waiter_ != nullptr) {
      answer = "RuntimeError: " + name(call.what.kind) +
               "() called while another coroutine is already waiting for incoming data";
    }
    if (!answer) {
      resume(paused_);
      waiter_ = &call;
      return;
    }
    const bool refused_at_once = first && answer->starts_with("RuntimeError: ");
    if (!refused_at_once && answer->find("Error: ") != std::string::npos) give_back(call);
    call.outcome = *answer;
  }

  static std::string name(ReadCall::Kind kind) {
    if (kind == ReadCall::Kind::read) return "read";
    return kind == ReadCall::Kind::readexactly ? "readexactly" : "readuntil";
  }

  /// What is wrong before the buffer is looked at.
  Answer check(const ReadCall& what) const {
    if (what.kind == ReadCall::Kind::readexactly && what.bytes < 0) {
      return "ValueError: readexactly size can not be less than zero";
    }
    if (what.kind == ReadCall::Kind::readuntil || what.kind == ReadCall::Kind::readuntil_any) {
      if (what.separators.empty()) {
        return "ValueError: Separator should contain at least one element";
      }
      for (const std::string& separator : what.separators) {
        if (separator.empty()) return "ValueError: Separator should be at least one-byte string";
      }
    }
    if (exception_) return "ValueError: boom";
    return std::nullopt;
  }

  Answer attempt(Call& call) {
    const ReadCall& what = call.what;
    switch (what.kind) {
      case ReadCall::Kind::read: return what.bytes < 0 ? read_all(call) : read_some(what.bytes);
      case ReadCall::Kind::readexactly: return read_exactly(static_cast<std::size_t>(what.bytes));
      case ReadCall::Kind::readuntil:
      case ReadCall::Kind::readuntil_any: return read_until(what.separators);
      default: return read_line();
    }
  }

  Answer read_some(std::ptrdiff_t n) {
    if (n == 0) return quoted("");
    // weir: asyncio does not look twice, and gives an empty result if somebody stole the bytes.
    if (buffer_.empty() && !eof_) return std::nullopt;
    return quoted(take(static_cast<std::size_t>(n)));
  }

  /// weir: what it has collected is the reader's, and goes back if it does not finish. Bytes are
  /// not collected under the nose of a read that waits, or collects.
  Answer read_all(const Call& call) {
    if (exception_ && !at_eof()) return "ValueError: boom";
    if (waiter_ != nullptr) return std::nullopt;
    if (collector_ == nullptr) collector_ = &call;
    while (collector_ == &call && !buffer_.empty()) collected_ += take(limit_);
    if (!eof_) return std::nullopt;
    if (collector_ != &call) return quoted(take(buffer_.size()));
    resume(paused_);
    collector_ = nullptr;
    return quoted(std::exchange(collected_, {}));
  }
  void give_back(const Call& call) {
    if (collector_ != &call) return;
    collector_ = nullptr;
    if (collected_.empty()) return;
    buffer_.insert(0, std::exchange(collected_, {}));
    wake(false);
  }

  Answer read_exactly(std::size_t n) {
    if (n == 0) return quoted("");
    if (buffer_.size() >= n) return quoted(take(n));
    if (!eof_) return std::nullopt;
    return "IRE(" + quoted(std::exchange(buffer_, {})) + ", " + std::to_string(n) + ")";
  }

  struct Match {
    std::size_t start = std::string::npos;
    std::size_t end = std::string::npos;
  };
  /// The one that ends first; of two that end together the shorter, which starts later.
  Match find(const std::vector<std::string>& separators) const {
    Match best;
    for (const std::string& separator : separators) {
      const std::size_t start = buffer_.find(separator);
      if (start == std::string::npos) continue;
      const std::size_t end = start + separator.size();
      if (end < best.end || (end == best.end && start > best.start)) best = {start, end};
    }
    return best;
  }

  Answer read_until(const std::vector<std::string>& separators) {
    const auto [shortest, longest] =
        std::minmax_element(separators.begin(), separators.end(),
                            [](const auto& a, const auto& b) { return a.size() < b.size(); });
    if (buffer_.size() >= shortest->size()) {
      const Match match = find(separators);
      if (match.start != std::string::npos) {
        if (match.start > limit_) return "LOE-found(" + std::to_string(match.start) + ")";
        return quoted(take(match.end));
      }
      const std::size_t searched =
          buffer_.size() + 1 > longest->size() ? buffer_.size() + 1 - longest->size() : 0;
      if (searched > limit_) return "LOE-notfound(" + std::to_string(searched) + ")";
    }
    if (!eof_) return std::nullopt;
    return "IRE(" + quoted(std::exchange(buffer_, {})) + ", undefined)";
  }

  Answer read_line() {
    const std::size_t newline = buffer_.find('\n');
    const bool found = newline != std::string::npos;
    if (found && newline <= limit_) return quoted(take(newline + 1));
    if (found || buffer_.size() > limit_) {
      take(found ? newline + 1 : buffer_.size());
      return found ? "ValueError: found" : "ValueError: notfound";
    }
    if (!eof_) return std::nullopt;
    return quoted(std::exchange(buffer_, {}));
  }

  /// Bytes that are consumed; at the limit or below, the transport goes on.
  std::string take(std::size_t n) {
    std::string taken = buffer_.substr(0, n);
    buffer_.erase(0, n);
    resume(paused_ && buffer_.size() <= limit_);
    return taken;
  }
  void resume(bool due) {
    if (!due) return;
    paused_ = false;
    flow_ += 'R';
  }

  std::size_t limit_;
  std::string buffer_;
  std::string collected_;
  const Call* collector_ = nullptr;
  std::string flow_;
  bool eof_ = false;
  bool exception_ = false;
  bool paused_ = false;
  Call* waiter_ = nullptr;
  std::vector<std::unique_ptr<Call>> calls_;
  std::deque<Call*> ready_;
};

}  // namespace weir::test
