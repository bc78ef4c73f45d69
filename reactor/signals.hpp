// Internal: used by the loop.
// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

#include <atomic>
#include <map>
#include <source_location>

#include <weir/reactor/export.hpp>
#include <weir/reactor/handle.hpp>
#include <weir/reactor/kernel.hpp>

namespace WEIR_API weir {
namespace detail {

/// Signals as callbacks: the handler sets a flag and wakes the poller; the loop does the rest on
/// its own stack.
///
/// Errors    add() and remove(): ValueError "invalid signal number 0". add(): RuntimeError "sig 9
///           cannot be caught", or "sig 10 is handled by another loop"; OSError. Nothing has
///           changed then.
/// Threads   add() and remove() on the loop's thread. The signal itself may arrive on any thread.
/// Lifetime  A signal belongs to one loop at a time. The destructor puts back the dispositions it
///           found.
class Signals {
 public:
  Signals(Kernel& kernel, Poller& poller) noexcept : kernel_(kernel), poller_(poller) {}
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  void add(int number, EventLoop& loop, Callback callback, const std::source_location& where);
  bool remove(int number);
  void remove_all();

  bool empty() const noexcept { return watched_.empty(); }

  /// True when a signal has arrived that queue_pending() has not yet seen.
  bool any_pending() const noexcept { return pending_.load(std::memory_order_relaxed); }
  /// Queues the callback of every signal that has arrived, by number. A signal that comes again
  /// before its callback has run does not count, as in the kernel.
  void queue_pending(ReadyQueue& ready);

  /// Called by the signal handler alone.
  void arrived() noexcept;

 private:
  struct Watched {
    Ref<HandleNode> node;
    struct sigaction before{};  // What the signal did before we came.
  };
  void claim(int number, struct sigaction& before);
  void replace(int number, Watched& watched, Ref<HandleNode> successor);

  Kernel& kernel_;
  Poller& poller_;
  std::map<int, Watched> watched_;
  std::atomic<bool> pending_ = false;
};

}  // namespace detail
}  // namespace weir
