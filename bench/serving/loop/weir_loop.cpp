// SPDX-License-Identifier: MIT
//
// What weir's loop takes for one operation.
#include <bench/serving/loop/cells.hpp>
#include <cstdint>
#include <thread>
#include <vector>

#include <weir/streams/streams.hpp>

namespace {

using weir::Coro;
using weir::EventLoop;
using weir::bench::ns_for_each;
using weir::bench::operations;

struct OwnLoop : EventLoop {
  OwnLoop() = default;
  OwnLoop(const OwnLoop&) = delete;
  OwnLoop& operator=(const OwnLoop&) = delete;
  ~OwnLoop() { close(); }
};

// ---- Callbacks and tasks

/// Each callback schedules the next.
struct Chain {
  EventLoop& loop;
  std::uint64_t left;
  void next() {
    if (--left == 0) return loop.stop();
    loop.call_soon([this] { next(); });
  }
};

double call_soon(std::size_t) {
  OwnLoop loop;
  Chain chain{loop, operations};
  loop.call_soon([&chain] { chain.next(); });
  return ns_for_each(operations, [&] { loop.run_forever(); });
}

Coro<> give_way(std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) co_await weir::sleep(weir::Duration::zero());
}
Coro<> two_that_give_way() {
  EventLoop& loop = weir::get_running_loop();
  weir::Task<> one = loop.create_task(give_way(operations / 2));
  weir::Task<> other = loop.create_task(give_way(operations / 2));
  co_await one;
  co_await other;
}
double yield(std::size_t) {
  OwnLoop loop;
  return ns_for_each(operations, [&] { loop.run_until_complete(two_that_give_way()); });
}

[[gnu::noinline]] Coro<std::uint64_t> child(std::uint64_t value) { co_return value; }
Coro<std::uint64_t> parent() {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < operations; ++i) sum += co_await child(i);
  co_return sum;
}
double await_child(std::size_t) {
  OwnLoop loop;
  return ns_for_each(operations, [&] { loop.run_until_complete(parent()); });
}

Coro<> awaits_futures() {
  EventLoop& loop = weir::get_running_loop();
  for (std::uint64_t i = 0; i < operations; ++i) {
    weir::Future<int> future = loop.create_future<int>();
    loop.call_soon([future]() mutable { future.set_result(1); });
    co_await future;
  }
}
double future(std::size_t) {
  OwnLoop loop;
  return ns_for_each(operations, [&] { loop.run_until_complete(awaits_futures()); });
}

// ---- Timers

std::vector<weir::TimePoint> deadlines(EventLoop& loop,
                                       const std::vector<std::chrono::nanoseconds>& delays) {
  std::vector<weir::TimePoint> found;
  for (const auto delay : delays) found.push_back(loop.time() + delay);
  return found;
}

/// What is armed is sifted into the heap by the first pass after it.
void pass_once(weir::EventLoop& loop) {
  loop.call_soon([&loop] { loop.stop(); });
  loop.run_forever();
}

/// Of a loop with `armed` timers that stay.
double timer_cancel(std::size_t armed) {
  OwnLoop loop;
  const auto when = deadlines(loop, weir::bench::far_delays(armed + operations));
  for (std::size_t i = 0; i < armed; ++i) loop.call_at(when[i], [] {});
  pass_once(loop);
  return ns_for_each(operations, [&] {
    for (std::size_t i = armed; i < when.size(); ++i) loop.call_at(when[i], [] {}).cancel();
  });
}

double timer_later_cancel(std::size_t armed) {
  OwnLoop loop;
  const auto delays = weir::bench::far_delays(armed + operations);
  for (std::size_t i = 0; i < armed; ++i) loop.call_later(delays[i], [] {});
  pass_once(loop);
  return ns_for_each(operations, [&] {
    for (std::size_t i = armed; i < delays.size(); ++i) loop.call_later(delays[i], [] {}).cancel();
  });
}

/// Another deadline for one that is armed.
double timer_rearm(std::size_t armed) {
  OwnLoop loop;
  const auto when = deadlines(loop, weir::bench::far_delays(armed + operations));
  std::vector<weir::TimerHandle> handles;
  for (std::size_t i = 0; i < armed; ++i) handles.push_back(loop.call_at(when[i], [] {}));
  pass_once(loop);
  return ns_for_each(operations, [&] {
    for (std::size_t i = armed; i < when.size(); ++i) {
      weir::TimerHandle& handle = handles[i % armed];
      handle.cancel();
      handle = loop.call_at(when[i], [] {});
    }
  });
}

double timer_fire(std::size_t armed) {
  OwnLoop loop;
  const auto when = deadlines(loop, weir::bench::near_delays(armed));
  std::size_t left = armed;
  return ns_for_each(armed, [&] {
    for (const weir::TimePoint deadline : when) {
      loop.call_at(deadline, [&] {
        if (--left == 0) loop.stop();
      });
    }
    loop.run_forever();
  });
}

// ---- Threads

/// Two loops that wake each other; one way.
struct Player {
  OwnLoop loop;
  Player* other = nullptr;
  std::uint64_t left = 0;
  void hit() {
    if (left-- == 0) {
      other->loop.call_soon_threadsafe([this] { other->loop.stop(); });
      return loop.stop();
    }
    other->loop.call_soon_threadsafe([this] { other->hit(); });
  }
};

double wake(std::size_t) {
  constexpr std::uint64_t turns = 5000;
  Player here;
  Player there;
  here.other = &there;
  there.other = &here;
  here.left = there.left = turns;
  return weir::bench::wall_ns_for_each(2 * turns, [&] {
    here.loop.call_soon([&] { here.hit(); });
    std::thread thread([&] { there.loop.run_forever(); });
    here.loop.run_forever();
    thread.join();
  });
}

}  // namespace

int main(int argc, char** argv) {
  return weir::bench::run_cell({{"call_soon", call_soon},
                                {"yield", yield},
                                {"await_child", await_child},
                                {"future", future},
                                {"timer_cancel", timer_cancel},
                                {"timer_later_cancel", timer_later_cancel},
                                {"timer_rearm", timer_rearm},
                                {"timer_fire", timer_fire},
                                {"wake", wake}},
                               argc, argv);
}
