// Internal: used by the loop and by run_in_executor.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <mutex>
#include <source_location>
#include <vector>

#include <weir/reactor/callback.hpp>
#include <weir/reactor/poller/poller.hpp>

namespace weir::detail {

/// A callback, and where it was posted: reports name that line.
struct Letter {
  Callback callback;
  std::source_location where;
};

/// The door between threads: callbacks go in anywhere, and come out on the loop's thread in the
/// order they went in.
///
/// Threads   post() from any thread; the rest from the loop's thread.
/// Lifetime  Shared by the loop and by what posts to it: a post after the loop has closed is
///           refused, not lost.
class Mailbox {
 public:
  explicit Mailbox(Poller& poller) noexcept : poller_(&poller) {}

  /// False when the loop is closed; `callback` is then untouched.
  bool post(Callback& callback,
            const std::source_location& where = std::source_location::current());
  /// What was posted since the last call, in order, replacing what is in `into`.
  void take(std::vector<Letter>& into);
  /// Cheap: one relaxed load. May lag behind a post that has not yet woken the poller.
  bool has_mail() const noexcept { return has_mail_.load(std::memory_order_relaxed); }
  /// Refuses all further posts and forgets the poller. What lies inside is destroyed.
  void close();

 private:
  std::mutex mutex_;
  std::vector<Letter> inbox_;  // Guarded by mutex_, as is poller_.
  Poller* poller_;             // Null once closed.
  // Relaxed is enough: the mutex orders the contents, the poller's wake-up orders the waiting.
  std::atomic<bool> has_mail_ = false;
};

}  // namespace weir::detail
