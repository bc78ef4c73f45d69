// SPDX-License-Identifier: MIT
#include <weir/streams/lazy_timer.hpp>

#include <chrono>
#include <string>

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

void LazyTimer::due_by(TimePoint its_when) noexcept {
  // In the ready queue it is about to look anyway.
  if (!has_loop() || position != 0 || (armed() && when <= its_when)) return;
  arm(its_when);
}

std::exception_ptr make_timeout_error(const char* what, Duration after, const char* form) noexcept {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(after).count();
  return exception_of(
      [&] { return TimeoutError(std::string(what) + form + std::to_string(ms) + " ms"); });
}

}  // namespace weir::detail
