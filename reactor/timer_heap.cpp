// SPDX-License-Identifier: MIT
#include <weir/reactor/timer_heap.hpp>

#include <algorithm>
#include <new>

namespace weir::detail {
namespace {
constexpr std::size_t arity = 4;
}  // namespace

void TimerHeap::add(Timer& timer, TimePoint when) {
  make_room();
  add_held(timer, when);
}

void TimerHeap::make_room() {
  const std::size_t needed = entries_.size() + held_places_ + 1;
  if (needed > entries_.capacity()) [[unlikely]]
    grow(needed);
}

void TimerHeap::grow(std::size_t needed) {
  if (needed >= Timer::not_armed) throw std::bad_alloc();
  const std::size_t capacity = std::max(needed, 2 * entries_.capacity());
  timer_of_.reserve(capacity);
  index_of_.reserve(capacity);
  entries_.reserve(capacity);  // Last: make_room() asks this one.
}

void TimerHeap::hold_place() {
  make_room();
  ++held_places_;
}

void TimerHeap::add_held(Timer& timer, TimePoint when) noexcept {
  if (next_order_ == UINT32_MAX) [[unlikely]]
    renumber();
  std::uint32_t slot = free_slot_;
  if (slot == Timer::not_armed) {
    slot = static_cast<std::uint32_t>(timer_of_.size());
    timer_of_.push_back(&timer);  // There is room.
    index_of_.push_back(0);
  } else {
    free_slot_ = index_of_[slot];
    timer_of_[slot] = &timer;
  }
  timer.when = when;
  timer.slot = slot;
  entries_.push_back({});
  sift_up(entries_.size() - 1, {when, next_order_++, slot});
}

/// The count of the additions has come to its end: it begins again behind those that are there.
void TimerHeap::renumber() noexcept {
  std::sort(entries_.begin(), entries_.end(), before);  // In order, it is a heap, too.
  next_order_ = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    entries_[i].order = next_order_++;
    place(i, Entry(entries_[i]));
  }
}

inline void TimerHeap::give_back(std::uint32_t slot) noexcept {
  index_of_[slot] = free_slot_;
  free_slot_ = slot;
}

void TimerHeap::remove(Timer& timer) noexcept {
  const std::uint32_t slot = timer.slot;
  const std::size_t hole = index_of_[slot];
  timer.slot = Timer::not_armed;
  give_back(slot);
  const Entry last = entries_.back();
  entries_.pop_back();
  if (last.slot == slot) return;
  // The last entry fills the hole; it may belong above it as well as below.
  if (hole > 0 && before(last, entries_[(hole - 1) / arity])) {
    sift_up(hole, last);
  } else {
    sift_down(hole, last);
  }
}

Timer* TimerHeap::pop_due(TimePoint now) noexcept {
  if (entries_.empty() || entries_.front().when > now) return nullptr;
  return pop_any();
}

Timer* TimerHeap::pop_any() noexcept {
  if (entries_.empty()) return nullptr;
  const std::uint32_t slot = entries_.front().slot;
  Timer* const timer = timer_of_[slot];
  give_back(slot);
  const Entry last = entries_.back();
  entries_.pop_back();
  if (!entries_.empty()) sift_down(0, last);
  timer->slot = Timer::not_armed;  // Last: the heap need not wait until it has come into the cache.
  return timer;
}

void TimerHeap::sift_up(std::size_t index, const Entry& entry) noexcept {
  while (index > 0) {
    const std::size_t parent = (index - 1) / arity;
    if (!before(entry, entries_[parent])) break;
    place(index, entries_[parent]);
    index = parent;
  }
  place(index, entry);
}

void TimerHeap::sift_down(std::size_t index, const Entry& entry) noexcept {
  for (;;) {
    const std::size_t first = index * arity + 1;
    if (first >= entries_.size()) break;
    std::size_t least = first;
    for (std::size_t child = first + 1; child < std::min(first + arity, entries_.size()); ++child) {
      if (before(entries_[child], entries_[least])) least = child;
    }
    if (!before(entries_[least], entry)) break;
    place(index, entries_[least]);
    index = least;
  }
  place(index, entry);
}

}  // namespace weir::detail
