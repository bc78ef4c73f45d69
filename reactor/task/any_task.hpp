// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/task/future_base.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/task_base.hpp>

namespace WEIR_API weir {

/// A task whose result nobody asks for: every Task<T> is one. A handle: copies name the same task.
///
/// Shape     for (const AnyTask& task : all_tasks(loop)) log(task.repr());
/// Threads   The loop's thread.
/// Lifetime  Counted, as Task's. Holding one keeps the result, not the coroutine.
/// Cost      A pointer and a count; no allocation.
/// Source    CPython tasks.py Task.
class AnyTask {
 public:
  template <class T>
  AnyTask(const Task<T>& task) noexcept  // NOLINT(google-explicit-constructor): every task is one.
      : future_(&task.state()) {}
  explicit AnyTask(const detail::TaskBase& task) noexcept : future_(&task.future()) {}

  bool done() const noexcept { return future_->done(); }
  bool cancelled() const noexcept {
    return future_->status == detail::FutureBase::Status::cancelled;
  }
  /// As Task's.
  bool cancel(const std::string& message = {}) const { return future_->cancel(message); }
  std::uint32_t cancelling() const noexcept { return task().cancelling(); }
  std::uint32_t uncancel() const noexcept { return task().uncancel(); }

  std::string get_name() const { return task().name(); }
  void set_name(std::string name) const { task().set_name(std::move(name)); }
  EventLoop& get_loop() const { return future_->loop(); }
  std::string repr() const { return future_->describe(); }

  /// Whether they name the same task.
  friend bool operator==(const AnyTask& a, const AnyTask& b) noexcept {
    return a.future_.get() == b.future_.get();
  }

 private:
  detail::TaskBase& task() const noexcept { return *future_->task(); }
  detail::Ref<detail::FutureBase> future_;
};

/// The task that runs now; none inside a plain callback.
///
/// Errors    RuntimeError "no running event loop".
/// Source    CPython tasks.py current_task.
std::optional<AnyTask> current_task();
/// The task of `loop` that runs now on this thread; none if the loop runs no task.
std::optional<AnyTask> current_task(const EventLoop& loop);

/// The tasks of the loop that are not done, oldest first.
///
/// Errors    RuntimeError "no running event loop".
/// Source    CPython tasks.py all_tasks, which gives a set.
std::vector<AnyTask> all_tasks();
std::vector<AnyTask> all_tasks(const EventLoop& loop);

}  // namespace weir
