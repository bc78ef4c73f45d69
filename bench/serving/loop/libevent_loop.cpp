// SPDX-License-Identifier: MIT
//
// What libevent's loop takes for one operation.
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/time.h>

#include <bench/serving/loop/cells.hpp>
#include <cstdint>
#include <memory>
#include <vector>

namespace {

using weir::bench::ns_for_each;
using weir::bench::operations;

using Base = std::unique_ptr<event_base, decltype(&event_base_free)>;
Base make_base() { return {event_base_new(), event_base_free}; }

void nothing(evutil_socket_t, short, void*) {}

struct Chain {
  event next;
  std::uint64_t left;
};
/// Each active event activates itself again.
double call_soon(std::size_t) {
  const Base base = make_base();
  Chain chain{{}, operations};
  const auto again = [](evutil_socket_t, short, void* argument) {
    auto& self = *static_cast<Chain*>(argument);
    if (--self.left != 0) event_active(&self.next, EV_TIMEOUT, 0);
  };
  event_assign(&chain.next, base.get(), -1, 0, again, &chain);
  event_active(&chain.next, EV_TIMEOUT, 0);
  return ns_for_each(operations, [&] { event_base_loop(base.get(), 0); });
}

std::vector<timeval> in_us(const std::vector<std::chrono::nanoseconds>& delays) {
  std::vector<timeval> found;
  for (const auto delay : delays) {
    const auto us = delay / std::chrono::microseconds(1);
    found.push_back({us / 1'000'000, us % 1'000'000});
  }
  return found;
}

/// Outlives the base, which looks at its timers when it goes.
void assign(std::vector<event>& timers, event_base* base, const std::vector<timeval>& delays,
            std::size_t armed) {
  for (auto& timer : timers) evtimer_assign(&timer, base, nothing, nullptr);
  for (std::size_t i = 0; i < armed; ++i) evtimer_add(&timers[i], &delays[i]);
}

double timer_cancel(std::size_t armed) {
  std::vector<event> timers(armed + 1);
  const Base base = make_base();
  const auto delays = in_us(weir::bench::far_delays(armed + operations));
  assign(timers, base.get(), delays, armed);
  event& timer = timers.back();
  return ns_for_each(operations, [&] {
    for (std::size_t i = armed; i < delays.size(); ++i) {
      evtimer_add(&timer, &delays[i]);
      evtimer_del(&timer);
    }
  });
}

double timer_rearm(std::size_t armed) {
  std::vector<event> timers(armed);
  const Base base = make_base();
  const auto delays = in_us(weir::bench::far_delays(armed + operations));
  assign(timers, base.get(), delays, armed);
  return ns_for_each(operations, [&] {
    for (std::size_t i = armed; i < delays.size(); ++i) evtimer_add(&timers[i % armed], &delays[i]);
  });
}

double timer_fire(std::size_t armed) {
  std::vector<event> timers(armed);
  const Base base = make_base();
  const auto delays = in_us(weir::bench::near_delays(armed));
  assign(timers, base.get(), delays, 0);
  return ns_for_each(armed, [&] {
    for (std::size_t i = 0; i < armed; ++i) evtimer_add(&timers[i], &delays[i]);
    event_base_dispatch(base.get());
  });
}

}  // namespace

int main(int argc, char** argv) {
  return weir::bench::run_cell({{"call_soon", call_soon},
                                {"timer_cancel", timer_cancel},
                                {"timer_later_cancel", timer_cancel},  // It takes delays only.
                                {"timer_rearm", timer_rearm},
                                {"timer_fire", timer_fire}},
                               argc, argv);
}
