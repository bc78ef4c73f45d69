// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <list>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/task/awaitable.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/done_listener.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/outcome.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/wait_list.hpp>

namespace WEIR_API weir {

namespace detail {

/// The state behind TaskGroup: its tasks, their failures, and who waits for them.
class TaskGroupState final : public Counted<TaskGroupState> {
 public:
  TaskGroupState() = default;
  TaskGroupState(const TaskGroupState&) = delete;
  TaskGroupState& operator=(const TaskGroupState&) = delete;
  ~TaskGroupState() = default;
  void destroy() noexcept { delete this; }

  void enter();
  /// Waits for all tasks, and throws what the group comes to. Made before the body starts, so that
  /// there is always memory for this; the body's error is handed in later.
  Coro<> exit();
  void set_body_error(std::exception_ptr error) noexcept { body_error_ = std::move(error); }
  /// RuntimeError unless tasks may be added now.
  void check_open() const;
  EventLoop& loop() const { return parent_->loop(); }
  /// Starts a task by `create`, and listens for its end.
  template <class Create>
  auto add(Create create) {
    Member& member = prepare_member();
    try {
      auto task = create();
      member.listener.emplace(task.state(), &member, Member::heard);
      member.listener->listen();
      return task;
    } catch (...) {
      members_.erase(member.position);
      throw;
    }
  }
  std::string describe() const;

 private:
  struct Member {
    explicit Member(TaskGroupState& its_group) noexcept : group(its_group) {}
    static void heard(void* owner, DoneListener&) {
      Member& self = *static_cast<Member*>(owner);
      self.group.remove(self);
    }
    TaskGroupState& group;
    std::list<Member>::iterator position;
    std::optional<DoneListener> listener;
  };
  Member& prepare_member();
  void remove(Member& member);
  void hear(FutureBase& task);
  void abort();
  void throw_outcome(const std::exception_ptr& cancellation, const std::exception_ptr& error);

  std::list<Member> members_;  // The tasks that are not done, or were not heard of yet.
  std::vector<std::exception_ptr> errors_;  // Has room for one of each of them, and the body's.
  std::exception_ptr interrupt_;            // A KeyboardInterrupt goes before everything else.
  std::exception_ptr body_error_;
  WaitList all_done_;       // exit() waits for it.
  Ref<FutureBase> parent_;  // The task that entered.
  bool entered_ = false;
  bool exiting_ = false;
  bool aborting_ = false;
  bool parent_cancel_requested_ = false;  // By the group: not to be seen outside of it.
};

template <class A>
Coro<AwaitResult<A>> await_in_group(Ref<TaskGroupState> group, A body) {
  Coro<> exit = group->exit();
  group->enter();
  Outcome<AwaitResult<A>> result = co_await await_outcome(std::move(body));
  group->set_body_error(result.exception());
  co_await std::move(exit);
  co_return std::move(result).value();
}
template <class A>
  requires std::is_void_v<AwaitResult<A>>
Coro<> await_in_group(Ref<TaskGroupState> group, A body) {
  Coro<> exit = group->exit();
  group->enter();
  Outcome<> result = co_await await_outcome(std::move(body));
  group->set_body_error(result.exception());
  co_await std::move(exit);
  std::move(result).value();
}

}  // namespace detail

/// Tasks that end together: run() returns when all of them are done, and if one fails, cancels the
/// others. A handle: pass it to whatever is to add tasks. Python's `async with TaskGroup() as
/// group:` is run().
///
/// Shape     Coro<> fetch_all(TaskGroup group) {
///             group.create_task(fetch("a"));
///             group.create_task(fetch("b"));
///             co_return;
///           }
///           TaskGroup group;
///           co_await group.run(fetch_all(group));
/// Threads   The loop's thread.
/// Cost      One allocation, and one for each task.
/// Source    CPython 3.13 taskgroups.py TaskGroup.
class TaskGroup {
 public:
  TaskGroup() : state_(new detail::TaskGroupState) {}

  /// Awaits `body`, then every task of the group; returns what the body returned. Once.
  ///
  /// Errors    ExceptionGroup "unhandled errors in a TaskGroup"  of what the tasks and the body
  ///           threw. The first failure cancels the body and the other tasks; a task that is merely
  ///           cancelled is none.
  ///           CancelledError  from outside: the tasks are cancelled and waited for. Also what the
  ///           body threw, if nothing failed.
  ///           RuntimeError "TaskGroup … has already been entered".
  template <detail::Awaitable A>
  auto run(A body) const {
    return detail::await_in_group(state_, detail::owning(std::move(body)));
  }

  /// Starts a task of the group.
  ///
  /// Errors    RuntimeError "TaskGroup … has not been entered", "TaskGroup … is finished",
  ///           "TaskGroup … is shutting down".
  template <detail::Awaitable A>
  auto create_task(A awaitable, std::string name = {}) const {
    state_->check_open();
    return state_->add(
        [&] { return state_->loop().create_task(std::move(awaitable), std::move(name)); });
  }

  /// For reports: "<TaskGroup tasks=2 entered>".
  std::string repr() const { return state_->describe(); }

 private:
  detail::Ref<detail::TaskGroupState> state_;
};

}  // namespace weir
