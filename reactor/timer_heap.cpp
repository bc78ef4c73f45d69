// SPDX-License-Identifier: MIT
#include <weir/reactor/timer_heap.hpp>

#include <algorithm>

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
    entries_.reserve(std::max(needed, 2 * entries_.capacity()));
}

void TimerHeap::hold_place() {
  make_room();
  ++held_places_;
}

void TimerHeap::add_held(Timer& timer, TimePoint when) noexcept {
  entries_.emplace_back();  // There is room.
  timer.when = when;
  sift_up(entries_.size() - 1, {when, next_order_++, &timer});
}

void TimerHeap::remove(Timer& timer) noexcept {
  const std::size_t hole = timer.heap_index;
  timer.heap_index = Timer::not_armed;
  const Entry last = entries_.back();
  entries_.pop_back();
  if (last.timer == &timer) return;
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
  Timer* timer = entries_.front().timer;
  remove(*timer);
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
