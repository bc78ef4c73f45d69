// Internal: used by TaskGroup, servers, drain() and wait_closed().
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <exception>
#include <source_location>
#include <string>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/intrusive_list.hpp>
#include <weir/reactor/task/promise.hpp>
#include <weir/reactor/task/task_base.hpp>

namespace WEIR_API weir {
namespace detail {

/// One of many tasks that wait for the same thing; the node lives in the coroutine's frame.
/// Cancelling one leaves the others alone.
struct ListWait : ListLink, Queueable, Parked {
  /// `what` is waited for, for people.
  explicit ListWait(const char* its_what) noexcept : ListWait(its_what, wake_kind) {}
  ListWait(const ListWait&) = delete;
  ListWait& operator=(const ListWait&) = delete;
  ~ListWait() = default;

  EventLoop& loop() const { return task->future().loop(); }
  /// Queues the wake-up; the wait then ends with `its_error`, or well if that is null. Needs no
  /// memory.
  void wake(const std::exception_ptr& its_error) {
    unlink();
    error = its_error;
    loop().ready().push(*this);
  }
  /// In await_resume(): throws if the wait was cancelled or ended with an error.
  void check() const;
  /// Throws if it was cancelled.
  void check_cancelled() const;

  std::exception_ptr error;
  const char* what;

 protected:
  ListWait(const char* its_what, const RunnableKind& its_kind,
           const Parked::Kind& its_parked_kind = parked_kind) noexcept
      : Queueable(its_kind), Parked(its_parked_kind), what(its_what) {}
  static std::string describe_wait(const Runnable& runnable);
  static void note_wait(Runnable& runnable, RunNote& note);
  static const Parked::Kind parked_kind;

 private:
  static const RunnableKind wake_kind;
};

using WaitList = IntrusiveList<ListWait>;

/// Awaits the next wake_all() of a list. Lives in a coroutine's frame, so that a wait which must
/// not fail, because others rest on its end, needs no memory of its own.
class UntilWoken {
 public:
  UntilWoken(WaitList& list, const char* what) noexcept : list_(list), wait_(what) {}
  UntilWoken(const UntilWoken&) = delete;
  UntilWoken& operator=(const UntilWoken&) = delete;
  ~UntilWoken() = default;

  bool await_ready() const noexcept { return false; }
  template <WeirPromise P>
  void await_suspend(std::coroutine_handle<P> waiter,
                     std::source_location at = std::source_location::current()) {
    waiter.promise().awaits_at = at;
    list_.push_back(wait_);
    current_task->park(wait_, waiter.promise());
  }
  void await_resume() const { wait_.check(); }

 private:
  WaitList& list_;
  ListWait wait_;
};

inline void wake_all(WaitList& list, const std::exception_ptr& error = nullptr) {
  while (ListWait* wait = list.front()) wait->wake(error);
}

}  // namespace detail
}  // namespace weir
