// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <source_location>
#include <string>
#include <utility>

#include <weir/reactor/callback.hpp>
#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/pool.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/timer_heap.hpp>

namespace WEIR_API weir {

class EventLoop;

namespace detail {

/// A scheduled callback: in the ready queue, in the timer heap, or watching a descriptor or a
/// signal. Lives in the pool; counted by what it is scheduled in and by the user's Handles.
///
/// Cost      Two cache lines. The callable is made where it stays: there is no Callback to move.
struct HandleNode : Timer, Counted<HandleNode> {
  template <class F>
  HandleNode(EventLoop& its_loop, const RunnableKind& its_kind, F&& its_callback,
             const std::source_location& where)
      : Timer(its_kind), loop(&its_loop), callback(std::forward<F>(its_callback)), made_at(where) {}

  template <class F>
  static Ref<HandleNode> make(EventLoop& loop, const RunnableKind& kind, F&& callback,
                              const std::source_location& where) {
    void* const block = pool_allocate(sizeof(HandleNode));
    try {
      return Ref<HandleNode>(::new (block)
                                 HandleNode(loop, kind, std::forward<F>(callback), where));
    } catch (...) {  // Of a callable's copy, or of memory for a large one.
      pool_free(block, sizeof(HandleNode));
      throw;
    }
  }
  /// The node that `runnable` is: a once_handle or a watching_handle.
  static HandleNode& of(Runnable& runnable) noexcept {
    return static_cast<HandleNode&>(static_cast<Timer&>(runnable));
  }
  void destroy() noexcept {
    this->~HandleNode();
    pool_free(this, sizeof(HandleNode));
  }
  void cancel() noexcept;

  bool cancelled = false;
  EventLoop* loop;  // Null once it has run, was cancelled, or its loop was closed.
  Callback callback;
  std::source_location made_at;
};
static_assert(sizeof(void*) != 8 || sizeof(HandleNode) <= 8 * pool_class_bytes);

/// Runs once: call_soon, call_later, call_at.
extern const RunnableKind once_handle;
/// Runs whenever its descriptor is ready, or its signal has come. The ready queue holds no
/// reference to it: who lets go of it cancels it first.
extern const RunnableKind watching_handle;

[[noreturn]] void throw_not_callable(const char* function);
/// ValueError, in asyncio's words, if `callback` is empty. `function` is what was called.
inline void check_callable(const Callback& callback, const char* function) {
  if (!callback) [[unlikely]]
    throw_not_callable(function);
}

}  // namespace detail

/// A scheduled callback, as call_soon() returns it. Dropping it changes nothing: the callback stays
/// scheduled.
///
/// Threads   Loop thread.
/// Lifetime  A counted reference; it may outlive the loop, and then only remembers whether it was
///           cancelled.
/// Source    CPython events.py Handle.
class Handle {
 public:
  Handle() = default;
  explicit Handle(detail::Ref<detail::HandleNode> node) noexcept : node_(std::move(node)) {}

  /// The callback will not run, and is destroyed now. Harmless when it has run, or was cancelled
  /// before.
  ///
  /// Cost      O(1) for a ready callback, O(log n) for a timer.
  void cancel() noexcept {
    if (node_) node_->cancel();
  }
  bool cancelled() const noexcept { return node_ && node_->cancelled; }

 protected:
  detail::Ref<detail::HandleNode> node_;
};

/// A Handle that knows its deadline, as call_later() and call_at() return it.
class TimerHandle : public Handle {
 public:
  using Handle::Handle;
  TimePoint when() const noexcept { return node_ ? node_->when : TimePoint(); }
};

}  // namespace weir
