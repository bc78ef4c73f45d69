// SPDX-License-Identifier: MIT
#include <weir/reactor/task/timeout_scope.hpp>

#include <chrono>
#include <cstdio>
#include <string_view>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/timeouts.hpp>

namespace weir {
namespace detail {
namespace {

TimeoutState& state_of(Runnable& runnable) {
  return static_cast<TimeoutState&>(static_cast<Timer&>(runnable));
}

std::string_view state_name_of(TimeoutState::State state) {
  switch (state) {
    case TimeoutState::State::created: return "created";
    case TimeoutState::State::active: return "active";
    case TimeoutState::State::expiring: return "expiring";
    case TimeoutState::State::expired: return "expired";
    case TimeoutState::State::finished: return "finished";
  }
  return "unknown";
}

}  // namespace

const RunnableKind TimeoutState::expiry_kind = {
    [](Runnable& runnable) { state_of(runnable).expire(); },
    [](const Runnable& runnable) {
      return static_cast<const TimeoutState&>(static_cast<const Timer&>(runnable)).describe();
    },
};

TimeoutState::TimeoutState(std::optional<TimePoint> its_deadline) noexcept
    : Timer(expiry_kind), deadline_(its_deadline) {}

void TimeoutState::enter() {
  if (state_ != State::created) throw RuntimeError("Timeout has already been entered");
  TaskBase& task = require_current_task();
  task.future().loop().timers().make_room();  // From here on nothing throws.
  task_ = Ref<FutureBase>(&task.future());
  cancelling_before_ = task.cancelling();
  state_ = State::active;
  arm();
}
void TimeoutState::exit(const std::exception_ptr& error) {
  disarm();
  const Ref<FutureBase> entered_by = std::exchange(task_, {});
  if (state_ == State::active) {
    state_ = State::finished;
    return;
  }
  state_ = State::expired;
  // Only the request that was made here is taken back. If one is left, somebody else wants the task
  // to end, and that is not for a time-out to hide.
  if (entered_by->task()->uncancel() <= cancelling_before_ && is_a<CancelledError>(error)) {
    throw TimeoutError();
  }
}

void TimeoutState::abandon() noexcept {
  disarm();
  task_ = {};
  state_ = State::finished;
}

void TimeoutState::reschedule(std::optional<TimePoint> new_deadline) {
  if (state_ == State::created) throw RuntimeError("Timeout has not been entered");
  if (state_ != State::active) {
    throw RuntimeError("Cannot change state of " + std::string(state_name_of(state_)) + " Timeout");
  }
  task_->loop().timers().make_room();  // From here on nothing throws.
  disarm();
  deadline_ = new_deadline;
  arm();
}
void TimeoutState::arm() {
  if (!deadline_) return;
  EventLoop& loop = task_->loop();
  if (*deadline_ <= loop.time()) {
    loop.ready().push(*this);
  } else {
    loop.timers().add(*this, *deadline_);
  }
}

void TimeoutState::disarm() noexcept {
  if (!task_ || task_->token->loop == nullptr) return;
  EventLoop& loop = *task_->token->loop;
  if (armed()) loop.timers().remove(*this);
  if (position != 0) loop.ready().remove(*this);
}

void TimeoutState::expire() {
  state_ = State::expiring;
  task_->task()->request_cancel({});
}

std::string TimeoutState::describe() const {
  std::string text = "<Timeout [" + std::string(state_name_of(state_)) + "]";
  if (state_ == State::active) {
    text += " when=";
    if (deadline_) {
      const std::chrono::duration<double> seconds = deadline_->time_since_epoch();
      char digits[40];
      std::snprintf(digits, sizeof digits, "%.3f", seconds.count());
      text += digits;
    } else {
      text += "None";
    }
  }
  return text + ">";
}

}  // namespace detail

Timeout::Timeout(std::optional<TimePoint> when) : state_(new detail::TimeoutState(when)) {}

Timeout timeout(std::optional<Delay> delay) {
  EventLoop& loop = get_running_loop();
  if (!delay) return Timeout(std::nullopt);
  return Timeout(detail::deadline_after(loop.time(), delay->value()));
}

Timeout timeout_at(std::optional<TimePoint> when) { return Timeout(when); }

}  // namespace weir
