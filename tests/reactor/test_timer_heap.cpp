// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include <weir/reactor/timer_heap.hpp>

using namespace weir;
using namespace weir::detail;

namespace {

constexpr RunnableKind idle_kind = {
    [](Runnable&) {},
    [](const Runnable&) { return std::string(); },
};

struct TestTimer : Timer {
  TestTimer() : Timer(idle_kind) {}
};

TimePoint at(int nanoseconds) { return TimePoint(Duration(nanoseconds)); }

/// What is left, in the order in which it leaves.
std::vector<Timer*> emptied(TimerHeap& heap) {
  std::vector<Timer*> order;
  while (Timer* timer = heap.pop_due(TimePoint::max())) order.push_back(timer);
  return order;
}

}  // namespace

TEST_SUITE_BEGIN("reactor/timer_heap");

TEST_CASE("pop_due: timers leave in the order of their deadlines") {
  TimerHeap heap;
  std::deque<TestTimer> timers(20);
  for (std::size_t i = 0; i < timers.size(); ++i) {
    heap.add(timers[i], at(static_cast<int>(i * 7 % timers.size())));
  }
  std::vector<Duration::rep> deadlines;
  for (const Timer* timer : emptied(heap)) {
    deadlines.push_back(timer->when.time_since_epoch().count());
  }
  CHECK(deadlines.size() == timers.size());
  CHECK(std::is_sorted(deadlines.begin(), deadlines.end()));
}

// libuv: test-timer.c timer_order. asyncio leaves the order of equal deadlines to its heap.
TEST_CASE("pop_due: equal deadlines leave in the order in which they were added") {
  TimerHeap heap;
  std::deque<TestTimer> timers(100);
  std::vector<Timer*> expected;
  for (TestTimer& timer : timers) {
    heap.add(timer, at(5));
    expected.push_back(&timer);
  }
  CHECK(emptied(heap) == expected);
}

TEST_CASE("pop_due: removing some does not disturb the order of equal deadlines") {
  TimerHeap heap;
  std::deque<TestTimer> timers(100);
  for (TestTimer& timer : timers) heap.add(timer, at(5));
  std::vector<Timer*> expected;
  for (std::size_t i = 0; i < timers.size(); ++i) {
    if (i % 3 == 0) {
      heap.remove(timers[i]);
    } else {
      expected.push_back(&timers[i]);
    }
  }
  CHECK(emptied(heap) == expected);
}

TEST_CASE("pop_due: a timer is due at its deadline and not a nanosecond before") {
  TimerHeap heap;
  TestTimer timer;
  heap.add(timer, at(10));
  CHECK(heap.pop_due(at(9)) == nullptr);
  CHECK(heap.pop_due(at(10)) == &timer);
}

TEST_CASE("pop_due: the ends of the clock are deadlines like any other") {
  TimerHeap heap;
  TestTimer last;
  TestTimer first;
  TestTimer middle;
  heap.add(last, TimePoint::max());
  heap.add(first, TimePoint::min());
  heap.add(middle, at(0));
  CHECK(heap.pop_due(at(0)) == &first);
  CHECK(heap.pop_due(at(0)) == &middle);
  CHECK(heap.pop_due(at(0)) == nullptr);
  CHECK(heap.next_deadline() == TimePoint::max());
}

TEST_CASE("add: when the count of the additions begins again, the order stays") {
  TimerHeap heap(UINT32_MAX - 50);
  std::deque<TestTimer> timers(100);
  std::vector<Timer*> expected;
  for (TestTimer& timer : timers) heap.add(timer, at(5));
  for (std::size_t i = 0; i < timers.size(); ++i) {
    if (i % 3 == 0) {
      heap.remove(timers[i]);
    } else {
      expected.push_back(&timers[i]);
    }
  }
  CHECK(emptied(heap) == expected);
}

TEST_CASE("next_deadline: is the earliest one, and none when the heap is empty") {
  TimerHeap heap;
  TestTimer late;
  TestTimer early;
  CHECK(heap.next_deadline() == std::nullopt);
  heap.add(late, at(20));
  heap.add(early, at(10));
  CHECK(heap.next_deadline() == at(10));
  heap.remove(early);
  CHECK(heap.next_deadline() == at(20));
  heap.remove(late);
  CHECK(heap.next_deadline() == std::nullopt);
}

TEST_CASE("remove: the timer leaves at once, and says so") {
  TimerHeap heap;
  TestTimer one;
  TestTimer two;
  heap.add(one, at(1));
  heap.add(two, at(2));
  CHECK(one.armed());
  heap.remove(one);
  CHECK_FALSE(one.armed());
  CHECK(heap.size() == 1);
  CHECK(emptied(heap) == std::vector<Timer*>{&two});
}

TEST_CASE("remove: whichever timer goes, the others keep their order") {
  std::mt19937 random(7);
  bool in_order = true;
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t victim = 0; victim < size; ++victim) {
      TimerHeap heap;
      std::deque<TestTimer> timers(size);
      for (TestTimer& timer : timers) heap.add(timer, at(static_cast<int>(random() % 50)));
      heap.remove(timers[victim]);
      const std::vector<Timer*> order = emptied(heap);
      in_order = in_order && order.size() == size - 1 &&
                 std::is_sorted(order.begin(), order.end(),
                                [](Timer* a, Timer* b) { return a->when < b->when; });
    }
  }
  CHECK(in_order);
}

TEST_CASE("add: a timer that has left can come back, behind its equals") {
  TimerHeap heap;
  TestTimer one;
  TestTimer two;
  heap.add(one, at(5));
  heap.add(two, at(5));
  CHECK(heap.pop_due(at(5)) == &one);
  heap.add(one, at(5));
  CHECK(emptied(heap) == std::vector<Timer*>{&two, &one});
}

TEST_CASE("pop_any: hands out every timer once, then null") {
  TimerHeap heap;
  std::deque<TestTimer> timers(30);
  std::set<Timer*> expected;
  for (TestTimer& timer : timers) {
    heap.add(timer, TimePoint::max());
    expected.insert(&timer);
  }
  std::set<Timer*> found;
  while (Timer* timer = heap.pop_any()) {
    CHECK_FALSE(timer->armed());
    found.insert(timer);
  }
  CHECK(found == expected);
  CHECK(heap.empty());
}

// tokio 24344dfe4, uvloop c39afff: timers lost between a cancel and an insert.
TEST_CASE("B14: 100 000 random additions, removals and pops are those of a sorted list") {
  TimerHeap heap;
  std::deque<TestTimer> timers(500);
  std::set<std::tuple<TimePoint, std::uint64_t, Timer*>> model;
  std::vector<std::uint64_t> orders(timers.size());
  std::mt19937 random(1);
  std::uint64_t next_order = 0;
  int differences = 0;
  for (int step = 0; step < 100'000; ++step) {
    const std::size_t i = random() % timers.size();
    TestTimer& timer = timers[i];
    if (random() % 4 == 0) {
      const TimePoint now = at(static_cast<int>(random() % 100));
      Timer* expected = nullptr;
      if (!model.empty() && std::get<0>(*model.begin()) <= now) {
        expected = std::get<2>(*model.begin());
        model.erase(model.begin());
      }
      if (heap.pop_due(now) != expected) ++differences;
    } else if (timer.armed()) {
      model.erase({timer.when, orders[i], &timer});
      heap.remove(timer);
    } else {
      const TimePoint when = at(static_cast<int>(random() % 100));
      orders[i] = next_order++;
      model.insert({when, orders[i], &timer});
      heap.add(timer, when);
    }
    if (heap.size() != model.size()) ++differences;
  }
  CHECK(differences == 0);
  CHECK(model.size() > 10);
}

TEST_CASE("queue_due: few or many, all that are due leave as from a sorted list") {
  std::deque<TestTimer> timers(500);
  std::mt19937 random(2);
  int differences = 0;
  for (int round = 0; round < 200; ++round) {
    TimerHeap heap;
    ReadyQueue ready;
    std::vector<Timer*> model;
    for (TestTimer& timer : timers) {
      heap.add(timer, at(static_cast<int>(random() % 100)));
      model.push_back(&timer);
    }
    std::stable_sort(model.begin(), model.end(),
                     [](Timer* a, Timer* b) { return a->when < b->when; });
    auto next = model.begin();
    for (int now = 0; now < 110; now += 1 + static_cast<int>(random() % 60)) {
      heap.queue_due(at(now), ready);
      while (const Queueable* timer = ready.pop()) {
        if (timer != *next || (*next)->armed() || (*next)->when > at(now)) ++differences;
        ++next;
      }
      if (next != model.end() && (*next)->when <= at(now)) ++differences;
    }
    while (heap.pop_any() != nullptr) {
    }
  }
  CHECK(differences == 0);
}

TEST_CASE("queue_due: what stays can still be removed, after a sweep of many") {
  TimerHeap heap;
  ReadyQueue ready;
  std::deque<TestTimer> timers(200);
  for (std::size_t i = 0; i < timers.size(); ++i) {
    heap.add(timers[i], at(static_cast<int>(i * 77 % timers.size())));
  }
  heap.queue_due(at(99), ready);
  while (ready.pop() != nullptr) {
  }
  for (TestTimer& timer : timers) {
    if (timer.armed() && timer.when.time_since_epoch().count() % 2 == 0) heap.remove(timer);
  }
  std::vector<Duration::rep> left;
  for (const Timer* timer : emptied(heap)) left.push_back(timer->when.time_since_epoch().count());
  std::vector<Duration::rep> expected;
  for (Duration::rep odd = 101; odd < 200; odd += 2) expected.push_back(odd);
  CHECK(left == expected);
}

TEST_SUITE_END();
