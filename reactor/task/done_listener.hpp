// Internal: used by gather.hpp, wait.hpp, shield.hpp, as_completed.hpp and task_group.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <weir/reactor/export.hpp>
#include <weir/reactor/task/future_base.hpp>

namespace WEIR_API weir {
namespace detail {

/// Tells its owner that a future is done: once, from the ready queue, where a done callback would
/// have its turn. Destroyed before that, it tells nobody. Keeps the future.
class DoneListener final : public FutureWaiter {
 public:
  /// Must not throw. May destroy the listener.
  using Heard = void (*)(void* owner, DoneListener& listener);

  DoneListener(FutureBase& its_future, void* owner, Heard heard) noexcept;
  DoneListener(const DoneListener&) = delete;
  DoneListener& operator=(const DoneListener&) = delete;
  ~DoneListener();

  /// From now on; at once queued if the future is done.
  void listen() { heard_of().add_waiter(*this); }
  FutureBase& heard_of() const noexcept { return *future; }

 private:
  static const RunnableKind listener_kind;

  void* owner_;
  Heard heard_;
};

}  // namespace detail
}  // namespace weir
