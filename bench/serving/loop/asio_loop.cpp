// SPDX-License-Identifier: MIT
//
// What Asio's io_context takes for one operation.
#include <asio.hpp>

#include <bench/serving/loop/cells.hpp>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace {

using asio::awaitable;
using asio::steady_timer;
using asio::use_awaitable;
using weir::bench::ns_for_each;
using weir::bench::operations;

struct Chain {
  asio::io_context& context;
  std::uint64_t left;
  void next() {
    if (--left != 0) asio::post(context, [this] { next(); });
  }
};

double call_soon(std::size_t) {
  asio::io_context context(1);
  Chain chain{context, operations};
  asio::post(context, [&chain] { chain.next(); });
  return ns_for_each(operations, [&] { context.run(); });
}

awaitable<void> give_way(std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) co_await asio::post(use_awaitable);
}
double yield(std::size_t) {
  asio::io_context context(1);
  asio::co_spawn(context, give_way(operations / 2), asio::detached);
  asio::co_spawn(context, give_way(operations / 2), asio::detached);
  return ns_for_each(operations, [&] { context.run(); });
}

[[gnu::noinline]] awaitable<std::uint64_t> child(std::uint64_t value) { co_return value; }
awaitable<void> parent() {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < operations; ++i) sum += co_await child(i);
  if (sum == 0) co_return;
}
double await_child(std::size_t) {
  asio::io_context context(1);
  asio::co_spawn(context, parent(), asio::detached);
  return ns_for_each(operations, [&] { context.run(); });
}

/// Timers that are there already: Asio's own way to use one again.
std::vector<std::unique_ptr<steady_timer>> armed_timers(
    asio::io_context& context, const std::vector<steady_timer::time_point>& when,
    std::size_t armed) {
  std::vector<std::unique_ptr<steady_timer>> timers;
  for (std::size_t i = 0; i < armed; ++i) {
    timers.push_back(std::make_unique<steady_timer>(context, when[i]));
    timers.back()->async_wait([](std::error_code) {});
  }
  return timers;
}

std::vector<steady_timer::time_point> deadlines(
    const std::vector<std::chrono::nanoseconds>& delays) {
  std::vector<steady_timer::time_point> found;
  const auto now = steady_timer::clock_type::now();
  for (const auto delay : delays) found.push_back(now + delay);
  return found;
}

/// What a cancelled wait leaves to do is done every 1000 times.
double timer_cancel(std::size_t armed) {
  asio::io_context context(1);
  const auto when = deadlines(weir::bench::far_delays(armed + operations));
  const auto timers = armed_timers(context, when, armed);
  steady_timer timer(context);
  return ns_for_each(operations, [&] {
    for (std::size_t i = armed; i < when.size(); ++i) {
      timer.expires_at(when[i]);
      timer.async_wait([](std::error_code) {});
      timer.cancel();
      if (i % 1000 == 0) context.poll();
    }
    context.poll();
  });
}

double timer_later_cancel(std::size_t armed) {
  asio::io_context context(1);
  const auto delays = weir::bench::far_delays(armed + operations);
  const auto timers = armed_timers(context, deadlines(delays), armed);
  steady_timer timer(context);
  return ns_for_each(operations, [&] {
    for (std::size_t i = armed; i < delays.size(); ++i) {
      timer.expires_after(delays[i]);
      timer.async_wait([](std::error_code) {});
      timer.cancel();
      if (i % 1000 == 0) context.poll();
    }
    context.poll();
  });
}

double timer_rearm(std::size_t armed) {
  asio::io_context context(1);
  const auto when = deadlines(weir::bench::far_delays(armed + operations));
  const auto timers = armed_timers(context, when, armed);
  return ns_for_each(operations, [&] {
    for (std::size_t i = armed; i < when.size(); ++i) {
      steady_timer& timer = *timers[i % armed];
      timer.expires_at(when[i]);  // Cancels the wait.
      timer.async_wait([](std::error_code) {});
      if (i % 1000 == 0) context.poll();
    }
    context.poll();
  });
}

double timer_fire(std::size_t armed) {
  asio::io_context context(1);
  const auto when = deadlines(weir::bench::near_delays(armed));
  std::vector<steady_timer> timers;
  timers.reserve(armed);
  for (std::size_t i = 0; i < armed; ++i) timers.emplace_back(context);
  return ns_for_each(armed, [&] {
    for (std::size_t i = 0; i < armed; ++i) {
      timers[i].expires_at(when[i]);
      timers[i].async_wait([](std::error_code) {});
    }
    context.run();
  });
}

struct Player {
  asio::io_context context{1};
  Player* other = nullptr;
  std::uint64_t left = 0;
  void hit() {
    if (left-- == 0) {
      other->context.stop();
      return context.stop();
    }
    asio::post(other->context, [this] { other->hit(); });
  }
};

double wake(std::size_t) {
  constexpr std::uint64_t turns = 5000;
  Player here;
  Player there;
  here.other = &there;
  there.other = &here;
  here.left = there.left = turns;
  const auto stay_here = asio::make_work_guard(here.context);
  const auto stay_there = asio::make_work_guard(there.context);
  return weir::bench::wall_ns_for_each(2 * turns, [&] {
    asio::post(here.context, [&] { here.hit(); });
    std::thread thread([&] { there.context.run(); });
    here.context.run();
    thread.join();
  });
}

}  // namespace

int main(int argc, char** argv) {
  return weir::bench::run_cell({{"call_soon", call_soon},
                                {"yield", yield},
                                {"await_child", await_child},
                                {"timer_cancel", timer_cancel},
                                {"timer_later_cancel", timer_later_cancel},
                                {"timer_rearm", timer_rearm},
                                {"timer_fire", timer_fire},
                                {"wake", wake}},
                               argc, argv);
}
