// Internal: used by handles, the loop and sleep().
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/ready_queue.hpp>

namespace WEIR_API weir {
namespace detail {

/// A runnable with a deadline. `slot` is its number in the heap, not_armed if it has none.
struct Timer : Queueable {
  static constexpr std::uint32_t not_armed = UINT32_MAX;

  explicit Timer(const RunnableKind& its_kind) noexcept : Queueable(its_kind) {}

  bool armed() const noexcept { return slot != not_armed; }

  std::uint32_t slot = not_armed;
  TimePoint when{};
};

/// Deadlines in order, first in, first out among equal ones. A heap with four children a node: half
/// as deep as a binary one. An entry is 16 bytes, so that four of them share a cache line or two;
/// it names its timer by number, and where an entry stands is noted by that number, in a table of 4
/// bytes each. A timer that is moved within the heap is not touched: of a hundred thousand, each is
/// a cache miss (docs/adr/0015). What was added lies behind the heap until somebody asks for the
/// first: a time-out that is over by then has cost no sift.
///
/// Errors    add(), hold_place() and make_room() may throw std::bad_alloc, with nothing changed.
/// Cost      add, and remove of one so young: O(1). remove, pop: O(log n). A cancelled timer leaves
///           at once; none lingers until its deadline.
class TimerHeap {
 public:
  /// `first_order` is for tests: where the count of the additions begins.
  explicit TimerHeap(std::uint32_t first_order = 0) noexcept : next_order_(first_order) {}
  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }
  std::optional<TimePoint> next_deadline() noexcept {
    settle();
    if (entries_.empty()) return std::nullopt;
    return entries_.front().when;
  }

  void add(Timer& timer, TimePoint when) {
    make_room();
    add_held(timer, when);
  }
  /// The next add() does not throw.
  void make_room() {
    const std::size_t needed = entries_.size() + held_places_ + 1;
    if (needed > entries_.capacity()) [[unlikely]]
      grow(needed);
  }

  /// Keeps one more place free for a timer that must never be refused: that one uses add_held().
  void hold_place();
  void release_place() noexcept { --held_places_; }
  void add_held(Timer& timer, TimePoint when) noexcept;

  void remove(Timer& timer) noexcept;
  /// Takes out the first timer that is due at `now`, or null.
  Timer* pop_due(TimePoint now) noexcept;
  /// Takes out all that are due at `now`, and queues them in order.
  void queue_due(TimePoint now, ReadyQueue& ready) noexcept;
  /// Takes out any timer, or null: how a closing loop empties the heap.
  Timer* pop_any() noexcept;

 private:
  struct Entry {
    TimePoint when;
    std::uint32_t order;  // Of insertion: what makes equal deadlines first in, first out.
    std::uint32_t slot;
  };
  // Branches on purpose: guessing which child is the least, and being wrong at times, is faster
  // than waiting for each level's answer before the next one is loaded (1.2 times, of 10^5).
  static bool before(const Entry& a, const Entry& b) noexcept {
    return a.when != b.when ? a.when < b.when : a.order < b.order;
  }
  void place(std::size_t index, const Entry& entry) noexcept {
    entries_[index] = entry;
    index_of_[entry.slot] = static_cast<std::uint32_t>(index);
  }
  void settle() noexcept;
  void give_back(std::uint32_t slot) noexcept;
  void take_out(std::uint32_t slot) noexcept;
  void sweep_due(TimePoint now, ReadyQueue& ready) noexcept;
  void sift_up(std::size_t index, const Entry& entry) noexcept;
  void sift_down(std::size_t index, const Entry& entry) noexcept;
  void grow(std::size_t needed);
  void renumber() noexcept;

  std::vector<Entry> entries_;
  std::size_t heaped_ = 0;  // So many are a heap; the young ones behind them are in no order.
  // By slot: where its entry stands, and whose it is. Of a free slot: the next free one.
  std::vector<std::uint32_t> index_of_;
  std::vector<Timer*> timer_of_;
  std::uint32_t free_slot_ = Timer::not_armed;
  std::uint32_t next_order_;
  std::size_t held_places_ = 0;  // Their timers may be armed or not: there is room for both.
};

}  // namespace detail
}  // namespace weir
