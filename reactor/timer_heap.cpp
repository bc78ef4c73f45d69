// SPDX-License-Identifier: MIT
#include <weir/reactor/timer_heap.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace weir::detail {
namespace {
constexpr std::size_t arity = 4;

// queue_due() pops so many, and one in so many, before it sweeps: by then the pops have cost about
// as much as the sweep, which looks at every entry, will.
constexpr std::size_t pops_before_sweep = 16;
}  // namespace

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
  index_of_[slot] = static_cast<std::uint32_t>(entries_.size());
  entries_.push_back({when, next_order_++, slot});
}

/// Sifts in what was added since the heap was last asked for its first: what has left until then
/// has cost nothing.
void TimerHeap::settle() noexcept {
  while (heaped_ < entries_.size()) {
    const std::size_t index = heaped_++;
    sift_up(index, Entry(entries_[index]));
  }
}

/// The count of the additions has come to its end: it begins again behind those that are there.
void TimerHeap::renumber() noexcept {
  std::sort(entries_.begin(), entries_.end(), before);  // In order, it is a heap, too.
  next_order_ = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    entries_[i].order = next_order_++;
    place(i, Entry(entries_[i]));
  }
  heaped_ = entries_.size();
}

inline void TimerHeap::give_back(std::uint32_t slot) noexcept {
  index_of_[slot] = free_slot_;
  free_slot_ = slot;
}

/// Without its timer, which need not be in the cache.
void TimerHeap::take_out(std::uint32_t slot) noexcept {
  std::size_t hole = index_of_[slot];
  give_back(slot);
  if (hole < heaped_) {
    const Entry last = entries_[--heaped_];
    // The heap's last entry fills the hole; it may belong above it as well as below.
    if (hole > 0 && before(last, entries_[(hole - 1) / arity])) {
      sift_up(hole, last);
    } else if (hole < heaped_) {
      sift_down(hole, last);
    }
    hole = heaped_;
  }
  // The youngest fills the hole behind the heap.
  const Entry youngest = entries_.back();
  entries_.pop_back();
  if (hole < entries_.size()) place(hole, youngest);
}

void TimerHeap::remove(Timer& timer) noexcept {
  take_out(std::exchange(timer.slot, Timer::not_armed));
}

Timer* TimerHeap::pop_due(TimePoint now) noexcept {
  settle();
  if (entries_.empty() || entries_.front().when > now) return nullptr;
  return pop_any();
}

Timer* TimerHeap::pop_any() noexcept {
  if (entries_.empty()) return nullptr;
  const std::uint32_t slot = entries_.front().slot;
  Timer* const timer = timer_of_[slot];
  take_out(slot);
  timer->slot = Timer::not_armed;
  return timer;
}

void TimerHeap::queue_due(TimePoint now, ReadyQueue& ready) noexcept {
  for (std::size_t pops = pops_before_sweep + size() / pops_before_sweep; pops > 0; --pops) {
    Timer* const timer = pop_due(now);
    if (timer == nullptr) return;
    ready.push(*timer);
  }
  sweep_due(now, ready);
}

/// Many at once: sorting them, and making a heap of the rest, goes through memory in order; a pop
/// jumps about in it at each level.
void TimerHeap::sweep_due(TimePoint now, ReadyQueue& ready) noexcept {
  const auto due = std::partition(entries_.begin(), entries_.end(),
                                  [now](const Entry& entry) { return entry.when > now; });
  std::sort(due, entries_.end(), [](const Entry& a, const Entry& b) { return before(a, b); });
  for (auto at = due; at != entries_.end(); ++at) {
    Timer& timer = *timer_of_[at->slot];
    give_back(at->slot);
    timer.slot = Timer::not_armed;
    ready.push(timer);
  }
  entries_.erase(due, entries_.end());
  heaped_ = entries_.size();
  for (std::size_t i = heaped_; i-- > 0;) sift_down(i, Entry(entries_[i]));
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
    if (first >= heaped_) break;
    std::size_t least = first;
    for (std::size_t child = first + 1; child < std::min(first + arity, heaped_); ++child) {
      if (before(entries_[child], entries_[least])) least = child;
    }
    if (!before(entries_[least], entry)) break;
    place(index, entries_[least]);
    index = least;
  }
  place(index, entry);
}

}  // namespace weir::detail
