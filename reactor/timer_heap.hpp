// Internal: used by handles, the loop and sleep().
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/ready_queue.hpp>

namespace weir::detail {

/// A runnable with a deadline. `heap_index` says where it stands in the heap, not_armed for
/// nowhere.
struct Timer : Queueable {
  static constexpr std::size_t not_armed = static_cast<std::size_t>(-1);

  explicit Timer(const RunnableKind& its_kind) noexcept : Queueable(its_kind) {}

  bool armed() const noexcept { return heap_index != not_armed; }

  TimePoint when{};
  std::size_t heap_index = not_armed;
};

/// Deadlines in order, first in, first out among equal ones. A heap with four children a node: half
/// as deep as a binary one, and a node's children share a cache line or two.
///
/// Errors    add(), hold_place() and make_room() may throw std::bad_alloc, with nothing changed.
/// Cost      add, remove, pop: O(log n). A cancelled timer leaves at once; none lingers until its
///           deadline.
class TimerHeap {
 public:
  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }
  std::optional<TimePoint> next_deadline() const noexcept {
    if (entries_.empty()) return std::nullopt;
    return entries_.front().when;
  }

  void add(Timer& timer, TimePoint when);
  /// The next add() does not throw.
  void make_room();

  /// Keeps one more place free for a timer that must never be refused: that one uses add_held().
  void hold_place();
  void release_place() noexcept { --held_places_; }
  void add_held(Timer& timer, TimePoint when) noexcept;

  void remove(Timer& timer) noexcept;
  /// Takes out the first timer that is due at `now`, or null.
  Timer* pop_due(TimePoint now) noexcept;
  /// Takes out any timer, or null: how a closing loop empties the heap.
  Timer* pop_any() noexcept;

 private:
  struct Entry {
    TimePoint when;
    std::uint64_t order;  // Insertion order: what makes equal deadlines first in, first out.
    Timer* timer;
  };
  static bool before(const Entry& a, const Entry& b) noexcept {
    return a.when != b.when ? a.when < b.when : a.order < b.order;
  }
  void place(std::size_t index, const Entry& entry) noexcept {
    entries_[index] = entry;
    entry.timer->heap_index = index;
  }
  void sift_up(std::size_t index, const Entry& entry) noexcept;
  void sift_down(std::size_t index, const Entry& entry) noexcept;

  std::vector<Entry> entries_;
  std::size_t held_places_ = 0;  // Their timers may be armed or not: there is room for both.
  std::uint64_t next_order_ = 0;
};

}  // namespace weir::detail
