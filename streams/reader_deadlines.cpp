// SPDX-License-Identifier: MIT
//
// The part of ReaderState that keeps the time.
#include <algorithm>
#include <string>
#include <utility>

#include <weir/streams/reader_state.hpp>

namespace weir::detail {

ReaderDeadlines& ReaderState::make_deadlines() {
  if (deadlines() == nullptr) {
    seldom().deadlines = std::make_unique<ReaderDeadlines>(
        loop(), this,
        [](void* owner, TimePoint now) { return static_cast<ReaderState*>(owner)->expire(now); });
  }
  return *deadlines();
}

void ReaderState::set_read_timeout(std::optional<Duration> timeout) {
  if ((!timeout && deadlines() == nullptr) || loop_token_->loop == nullptr) return;
  ReaderDeadlines& its = make_deadlines();
  if (!its.read) its.waiting_since = its.timer.now();
  its.read = timeout;
  if (waiter_ != nullptr) time_wait();
}

void ReaderState::set_idle_timeout(std::optional<Duration> timeout) {
  if ((!timeout && deadlines() == nullptr) || loop_token_->loop == nullptr) return;
  ReaderDeadlines& its = make_deadlines();
  its.idle = timeout;
  its.active_at = its.timer.now();
  if (timeout) its.timer.due_by(deadline_after(its.active_at, *timeout));
}

void ReaderState::stay_active() {
  ReaderDeadlines& its = *deadlines();
  if (its.idle && its.timer.has_loop()) its.active_at = its.timer.now();
}

/// The time of a read counts from its first wait on; being woken without having enough does not
/// begin it anew.
void ReaderState::time_wait() {
  const ReaderDeadlines* const its = deadlines();
  if (its == nullptr || !its->read) return;
  deadlines()->timer.due_by(deadline_after(its->waiting_since, *its->read));
}

/// Ends what is due; the earliest of the deadlines that are left.
std::optional<TimePoint> ReaderState::expire(TimePoint now) {
  ReaderDeadlines& its = *deadlines();
  std::optional<TimePoint> next;
  const auto earlier = [&next](TimePoint when) { next = next ? std::min(*next, when) : when; };
  if (its.idle) {
    const TimePoint idle_at = deadline_after(its.active_at, *its.idle);
    if (idle_at > now) {
      earlier(idle_at);
    } else {
      const Duration idle = *std::exchange(its.idle, std::nullopt);
      if (!exception_)
        set_exception(make_timeout_error("the idle stream", idle, " timed out after "));
    }
  }
  if (its.read && waiter_ != nullptr) {
    const TimePoint read_at = deadline_after(its.waiting_since, *its.read);
    if (read_at > now) {
      earlier(read_at);
    } else {
      waiter_->error = make_timeout_error(waiter_->what().function, *its.read);
      wake(true);
    }
  }
  return next;
}

}  // namespace weir::detail
