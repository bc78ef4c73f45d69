// SPDX-License-Identifier: MIT
#include <weir/reactor/task/sleep.hpp>

#include <cstdio>
#include <string>

namespace weir::detail {
namespace {

std::string seconds(Duration duration) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.3f s", std::chrono::duration<double>(duration).count());
  return digits;
}

SleepWait& sleep_of(Parked& parked) { return static_cast<SleepWait&>(parked); }
EventLoop& loop_of(const SleepWait& wait) { return wait.task->future().loop(); }

}  // namespace

const RunnableKind SleepWait::wake_kind = {
    [](Runnable& runnable) { static_cast<SleepWait&>(static_cast<Timer&>(runnable)).task->step(); },
    [](const Runnable& runnable) {
      return static_cast<const SleepWait&>(static_cast<const Timer&>(runnable))
          .task->describe_task();
    },
    nullptr,
    [](Runnable& runnable, RunNote& note) {
      auto& wait = static_cast<SleepWait&>(static_cast<Timer&>(runnable));
      wait.task->note_step(note);
      if (wait.when != TimePoint()) note.due = wait.when;
    },
};

const Parked::Kind SleepWait::parked_kind = {
    [](Parked& parked, const std::string&) {
      SleepWait& wait = sleep_of(parked);
      if (wait.position != 0) return false;  // Due already, or a sleep of one pass.
      loop_of(wait).timers().remove(wait);
      wait.cancelled = true;
      loop_of(wait).ready().push(wait);
      return true;
    },
    [](Parked& parked) noexcept {
      SleepWait& wait = sleep_of(parked);
      if (wait.armed()) loop_of(wait).timers().remove(wait);
      if (wait.position != 0) loop_of(wait).ready().remove(wait);
    },
    nullptr,
    [](const Parked& parked) {
      const auto& wait = static_cast<const SleepWait&>(parked);
      if (!wait.armed()) return std::string("its turn");
      return "sleep(), " + seconds(wait.when - loop_of(wait).time()) + " left";
    },
};

void SleepWait::park(Duration delay, PromiseBase& promise) {
  if (armed() || position != 0) throw RuntimeError("coroutine is being awaited already");
  delay <= Duration::zero() ? running_loop->ready().push(*this) : arm(delay);
  current_task->park(*this, promise);
}

[[gnu::noinline]] void SleepWait::arm(Duration delay) {
  running_loop->timers().add(*this, deadline_after(running_loop->time(), delay));
}

}  // namespace weir::detail
