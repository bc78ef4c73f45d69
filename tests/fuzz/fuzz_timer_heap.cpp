// SPDX-License-Identifier: MIT
#include <array>
#include <chrono>
#include <vector>

#include <weir/reactor/timer_heap.hpp>

#include <tests/fuzz/choices.hpp>
#include <tests/fuzz/targets.hpp>

namespace weir::fuzz {
namespace {

constexpr detail::RunnableKind idle_kind = {
    [](detail::Runnable&) {},
    [](const detail::Runnable&) { return std::string(); },
};

struct IdleTimer : detail::Timer {
  IdleTimer() : Timer(idle_kind) {}
};

/// Sorted by deadline; an equal one goes behind.
class SortedList {
 public:
  void add(detail::Timer& timer, TimePoint when) {
    auto place = timers_.end();
    while (place != timers_.begin() && std::prev(place)->first > when) --place;
    timers_.insert(place, {when, &timer});
  }
  void remove(const detail::Timer& timer) {
    std::erase_if(timers_, [&](const auto& entry) { return entry.second == &timer; });
  }
  detail::Timer* pop_due(TimePoint now) {
    if (timers_.empty() || timers_.front().first > now) return nullptr;
    detail::Timer* const first = timers_.front().second;
    timers_.erase(timers_.begin());
    return first;
  }
  std::optional<TimePoint> next_deadline() const {
    return timers_.empty() ? std::nullopt : std::optional(timers_.front().first);
  }
  std::size_t size() const { return timers_.size(); }
  bool holds(const detail::Timer& timer) const {
    return std::any_of(timers_.begin(), timers_.end(),
                       [&](const auto& entry) { return entry.second == &timer; });
  }

 private:
  std::vector<std::pair<TimePoint, detail::Timer*>> timers_;
};

/// Few of them, so that many are equal; and the ends of the clock.
TimePoint some_time(Choices& choices) {
  const std::size_t chosen = choices.roll(34);
  if (chosen == 32) return TimePoint::min();
  if (chosen == 33) return TimePoint::max();
  return TimePoint(Duration(chosen));
}

}  // namespace

void timer_heap(std::string_view input) {
  Choices choices(input);
  std::array<IdleTimer, 64> timers;
  detail::TimerHeap heap;
  SortedList model;
  while (!choices.empty()) {
    IdleTimer& timer = timers[choices.roll(timers.size())];
    switch (choices.roll(5)) {
      case 0:
      case 1: {  // Armed anew, if it is armed.
        const TimePoint when = some_time(choices);
        if (timer.armed()) heap.remove(timer);
        model.remove(timer);
        heap.add(timer, when);
        model.add(timer, when);
        break;
      }
      case 2:
        if (timer.armed()) heap.remove(timer);
        model.remove(timer);
        break;
      case 3: {
        const TimePoint now = some_time(choices);
        require(heap.next_deadline() == model.next_deadline(), "the deadline is the list's");
        const detail::Timer* const popped = heap.pop_due(now);
        require(popped == model.pop_due(now), "the timer that leaves is the list's first");
        require(popped == nullptr || !popped->armed(), "a timer that has left is not armed");
        break;
      }
      default: {
        const TimePoint now = some_time(choices);
        detail::ReadyQueue queued;
        heap.queue_due(now, queued);
        while (const detail::Queueable* const first = queued.pop()) {
          require(first == model.pop_due(now), "all that is due leaves, in the list's order");
        }
        require(model.pop_due(now) == nullptr, "nothing that is due stays");
      }
    }
    require(heap.size() == model.size(), "as many timers as in the list");
    require(heap.empty() == (model.size() == 0), "empty() is the list's");
    require(timer.armed() == model.holds(timer), "armed() says what the list says");
  }
  while (const detail::Timer* const first = heap.pop_due(TimePoint::max())) {
    require(first == model.pop_due(TimePoint::max()), "the rest leaves in the list's order");
  }
  require(model.size() == 0, "all timers have left");
}

}  // namespace weir::fuzz
