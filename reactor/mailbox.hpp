// Internal: used by the loop and by letters.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <mutex>

#include <weir/reactor/export.hpp>
#include <weir/reactor/poller/poller.hpp>
#include <weir/reactor/ready_queue.hpp>

namespace WEIR_API weir {
namespace detail {

/// The door between threads: runnables go in anywhere, and come out on the loop's thread in the
/// order they went in.
///
/// Errors    None: a runnable carries its own links, so that posting needs no memory.
/// Threads   post() from any thread; the rest from the loop's thread.
/// Lifetime  Shared by the loop and by what posts to it: a post after the loop has closed is
///           refused, not lost.
class Mailbox {
 public:
  explicit Mailbox(Poller& poller) noexcept : poller_(&poller) {}

  /// Once inside, `letter` is no longer the caller's to touch. False when the loop is closed: it
  /// then stays the caller's.
  bool post(Queueable& letter) noexcept;

  /// Puts what was posted since the last call behind what is in `into`.
  void take(ReadyQueue& into) noexcept;

  /// Cheap: one relaxed load. May lag behind a post that has not yet woken the poller.
  bool has_mail() const noexcept { return has_mail_.load(std::memory_order_relaxed); }

  /// Refuses all further posts and forgets the poller. What lies inside is dropped.
  void close();

 private:
  std::mutex mutex_;
  ReadyQueue inbox_;  // Guarded by mutex_, as is poller_.
  Poller* poller_;    // Null once closed.
  // Relaxed is enough: the mutex orders the contents, the poller's wake-up orders the waiting.
  std::atomic<bool> has_mail_ = false;
};

}  // namespace detail
}  // namespace weir
