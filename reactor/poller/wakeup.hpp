// Internal: used by poller_epoll, poller_poll.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include <weir/reactor/unique_fd.hpp>

namespace weir::detail {

/// A descriptor that becomes readable when anybody calls wake(): how a sleeping poller is roused.
/// The build picks the file that implements it: wakeup_eventfd.cpp or wakeup_pipe.cpp.
///
/// Errors    The constructor throws OSError (EMFILE, ENFILE, ENOMEM).
/// Cost      wake() is one system call, or none while an earlier one has not been consumed.
class Wakeup {
 public:
  Wakeup();

  /// What the poller watches for reading.
  int fd() const noexcept { return read_end_.get(); }

  /// Threads   Any thread, any signal handler: async-signal-safe, keeps errno.
  void wake() noexcept;

  /// Makes fd() silent until the next wake(). What was written by a thread before its wake(),
  /// merged or not, is visible to the caller afterwards.
  ///
  /// Threads   The poller's thread, when fd() is readable.
  void consume() noexcept;

 private:
  UniqueFd read_end_;
  UniqueFd write_end_;  // Empty when one descriptor does both.
  // True from a wake() until consume() has emptied the descriptor, so at most one token is ever in
  // it: it cannot fill up, and one read empties it.
  std::atomic<bool> pending_ = false;
  static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch pending_");
};

}  // namespace weir::detail
