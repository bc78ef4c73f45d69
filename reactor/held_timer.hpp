// Internal: used by listeners and by the deadlines of streams.
// SPDX-License-Identifier: MIT
#pragma once

#include <weir/reactor/clock.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/timer_heap.hpp>

namespace WEIR_API weir {
namespace detail {

/// A timer that can always be armed: its place in the heap is kept for as long as it lives.
///
/// Errors    std::bad_alloc, when it is made.
/// Lifetime  Its owner's. Inert once the loop is gone.
class HeldTimer : public Timer {
 public:
  HeldTimer(EventLoop& loop, const RunnableKind& its_kind)
      : Timer(its_kind), loop_token_(loop.token()) {
    loop.timers().hold_place();
  }
  HeldTimer(const HeldTimer&) = delete;
  HeldTimer& operator=(const HeldTimer&) = delete;

  bool has_loop() const noexcept { return loop_token_->loop != nullptr; }
  TimePoint now() const { return loop_token_->loop->time(); }
  /// In place of the deadline that it had.
  void arm(TimePoint its_when) noexcept {
    disarm();
    if (has_loop()) loop_token_->loop->timers().add_held(*this, its_when);
  }
  void disarm() noexcept {
    if (!has_loop()) return;
    if (armed()) loop_token_->loop->timers().remove(*this);
    if (position != 0) loop_token_->loop->ready().remove(*this);
  }

 protected:
  ~HeldTimer() {
    disarm();
    if (has_loop()) loop_token_->loop->timers().release_place();
  }

 private:
  Ref<LoopToken> loop_token_;
};

}  // namespace detail
}  // namespace weir
