// Internal: used by the loop.
// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

#include <atomic>
#include <map>
#include <source_location>

#include <weir/reactor/handle.hpp>
#include <weir/reactor/kernel.hpp>

namespace weir::detail {

/// Signals as callbacks: the handler sets a flag and wakes the poller; the loop does the rest on its own stack.
///
/// Threads   add() and remove() on the loop's thread. The signal itself may arrive on any thread.
/// Lifetime  A signal belongs to one loop at a time. The destructor puts back the dispositions it found.
class Signals {
 public:
  Signals(Kernel& kernel, Poller& poller) noexcept : kernel_(kernel), poller_(poller) {}
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  void add(int number, EventLoop& loop, Callback callback, const std::source_location& where);
  bool remove(int number);
  void remove_all();

  /// True when a signal has arrived that run_pending() has not yet served.
  bool any_pending() const noexcept { return pending_.load(std::memory_order_relaxed); }
  /// Runs the callback of every signal that has arrived, by number. A signal that came twice runs once, as it does
  /// in the kernel.
  void run_pending();

  /// Called by the signal handler alone.
  void arrived() noexcept;

 private:
  struct Watched {
    HandleNode* node = nullptr;  // Held until the signal is removed.
    struct sigaction before {};
  };

  Kernel& kernel_;
  Poller& poller_;
  std::map<int, Watched> watched_;
  std::atomic<bool> pending_ = false;
};

}  // namespace weir::detail
