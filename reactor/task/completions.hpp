// Internal: used by as_completed.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/handle.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/done_listener.hpp>
#include <weir/reactor/task/future.hpp>

namespace WEIR_API weir {
namespace detail {

/// Which of several futures have ended, in that order, and who waits for the next one. Futures are
/// known by their index.
class Completions {
 public:
  Completions() = default;
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;
  ~Completions() { timer_.cancel(); }

  /// Before add(): how many there will be.
  void reserve(std::size_t count);
  void add(FutureBase& future, std::size_t index);
  void set_timeout(EventLoop& loop, Duration timeout);
  /// One more is asked for; false if as many have been asked for as there are.
  bool claim() noexcept { return claimed_ < entries_.size() && (++claimed_, true); }
  /// Who claimed it was cancelled: somebody else may.
  void unclaim() noexcept { --claimed_; }

  /// The next one that has ended. TimeoutError if there is none, nor will be.
  std::optional<std::size_t> take();
  const Future<>& wait(EventLoop& loop) { return getters_.emplace_back(loop); }
  /// The wait ended otherwise than by a wake-up, or by one that now is somebody else's.
  void stop_waiting(const Future<>& getter);

 private:
  struct Entry {
    Entry(FutureBase& future, Completions* all, std::size_t its_index)
        : index(its_index), listener(future, this, heard), home(all) {}
    static void heard(void* owner, DoneListener&) {
      const Entry& self = *static_cast<Entry*>(owner);
      self.home->hear(self.index);
    }
    std::size_t index;
    DoneListener listener;
    Completions* home;
  };
  void hear(std::size_t index);
  void give_up();
  void wake_one();

  std::deque<Entry> entries_;       // A deque: they stay where they are.
  std::vector<std::size_t> ended_;  // Has room for all of them.
  std::size_t taken_ = 0;           // Of ended_.
  std::deque<Future<>> getters_;
  TimerHandle timer_;
  std::size_t claimed_ = 0;
  std::size_t heard_ = 0;
  bool timed_out_ = false;
};

/// The index of the next one that ends. `completions` is kept by the caller.
Coro<std::size_t> next_completion(Completions* completions);

}  // namespace detail
}  // namespace weir
