// SPDX-License-Identifier: MIT
#include <weir/streams/lazy_timer.hpp>

#include <chrono>

#include <weir/reactor/error.hpp>

namespace weir::detail {

const RunnableKind LazyTimer::timer_kind = {
    [](Runnable& runnable) {
      auto& timer = static_cast<LazyTimer&>(static_cast<Timer&>(runnable));
      if (const std::optional<TimePoint> next = timer.look_(timer.owner_, timer.now())) {
        timer.due_by(*next);
      }
    },
    [](const Runnable&) { return std::string("<deadline of a stream>"); },
};

LazyTimer::~LazyTimer() {
  if (!has_loop()) return;
  if (armed()) loop_token_->loop->timers().remove(*this);
  if (position != 0) loop_token_->loop->ready().remove(*this);
}

void LazyTimer::due_by(TimePoint its_when) {
  // In the ready queue it is about to look anyway.
  if (!has_loop() || position != 0 || (armed() && when <= its_when)) return;
  TimerHeap& timers = loop_token_->loop->timers();
  if (armed()) timers.remove(*this);
  timers.add(*this, its_when);
}

std::exception_ptr make_timeout_error(const std::string& what, Duration after) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(after).count();
  return std::make_exception_ptr(
      TimeoutError(what + " timed out after " + std::to_string(ms) + " ms"));
}

}  // namespace weir::detail
