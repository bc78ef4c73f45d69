// Internal: used by the loop, and by transports, listeners and tasks, which it owns.
// SPDX-License-Identifier: MIT
#pragma once

#include <weir/reactor/export.hpp>
#include <weir/reactor/intrusive_list.hpp>
#include <weir/reactor/ref.hpp>

namespace WEIR_API weir {

class EventLoop;

namespace detail {

/// Something to do when the event that is being served has been drained, at the latest at the end
/// of the pass: give back the read block. Asked for again every time.
struct DrainHook : ListLink {
  explicit DrainHook(void (*its_run)(DrainHook&)) noexcept : run(its_run) {}
  void (*run)(DrainHook&);
};

/// Something that lives as long as the loop unless it ends by itself: a server, a task. What owns a
/// descriptor is found by that: IoTable::for_each_owner().
struct Owned : ListLink {
  struct Kind {
    /// Asks it to end: close now, be cancelled. Called once, when the loop closes.
    void (*abort)(Owned&);
    /// It did not: frees it, and reports that.
    void (*destroy)(Owned&);
  };
  explicit Owned(const Kind& its_kind) noexcept : kind(&its_kind) {}
  const Kind* kind;
};

/// What may outlive the loop holds this instead of a pointer to it: `loop` is null once the loop is
/// gone.
struct LoopToken : Counted<LoopToken> {
  explicit LoopToken(EventLoop& its_loop) noexcept : loop(&its_loop) {}
  void destroy() noexcept { delete this; }
  EventLoop* loop;
};

}  // namespace detail

}  // namespace weir
