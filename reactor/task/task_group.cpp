// SPDX-License-Identifier: MIT
#include <weir/reactor/task/task_group.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/task/timeouts.hpp>

namespace weir::detail {

void TaskGroupState::enter() {
  if (entered_) throw RuntimeError("TaskGroup " + describe() + " has already been entered");
  parent_ = Ref<FutureBase>(&require_current_task().future());
  entered_ = true;
}

void TaskGroupState::check_open() const {
  if (!entered_) throw RuntimeError("TaskGroup " + describe() + " has not been entered");
  if (exiting_ && members_.empty()) {
    throw RuntimeError("TaskGroup " + describe() + " is finished");
  }
  if (aborting_) throw RuntimeError("TaskGroup " + describe() + " is shutting down");
}

/// Has memory for the task's failure, too: it will be heard of in a callback.
TaskGroupState::Member& TaskGroupState::prepare_member() {
  const std::size_t needed = errors_.size() + members_.size() + 2;
  if (needed > errors_.capacity()) errors_.reserve(std::max(needed, 2 * errors_.capacity()));
  Member& member = members_.emplace_back(*this);
  member.position = std::prev(members_.end());
  return member;
}

Coro<> TaskGroupState::exit() {
  const std::exception_ptr error = std::exchange(body_error_, nullptr);
  exiting_ = true;
  if (is_a<KeyboardInterrupt>(error) && !interrupt_) interrupt_ = error;
  std::exception_ptr cancellation = is_a<CancelledError>(error) ? error : nullptr;
  if (error && !aborting_) abort();
  // A loop, for the parent may be cancelled several times while it waits.
  while (!members_.empty()) {
    UntilWoken all_done(all_done_, "the tasks of a TaskGroup");
    try {
      co_await all_done;
    } catch (const CancelledError&) {
      if (!aborting_) {  // From outside: nobody else cancels the parent here.
        cancellation = std::current_exception();
        abort();
      }
    }
  }
  throw_outcome(cancellation, error);
}

void TaskGroupState::throw_outcome(const std::exception_ptr& cancellation,
                                   const std::exception_ptr& error) {
  const Ref<FutureBase> entered_by = std::exchange(parent_, {});
  if (interrupt_) std::rethrow_exception(interrupt_);
  TaskBase& parent = *entered_by->task();
  // The group's own request is taken back. If that was the last one, the cancellation was the
  // group's doing, and is told as the failure that caused it.
  const bool outsiders = !parent_cancel_requested_ || parent.uncancel() > 0;
  if (cancellation && outsiders && errors_.empty()) std::rethrow_exception(cancellation);
  if (error && !is_a<CancelledError>(error)) errors_.push_back(error);
  if (errors_.empty()) return;
  if (parent.cancelling() > 0) {  // The failures go first; the request strikes at the next await.
    parent.uncancel();
    parent.request_cancel({});
  }
  throw ExceptionGroup("unhandled errors in a TaskGroup", std::exchange(errors_, {}));
}

void TaskGroupState::abort() {
  aborting_ = true;
  for (const Member& member : members_) {
    FutureBase& task = member.listener->heard_of();
    if (!task.done()) task.cancel({});
  }
}

void TaskGroupState::remove(Member& member) {
  const Ref<FutureBase> task(&member.listener->heard_of());
  members_.erase(member.position);
  hear(*task);
}

void TaskGroupState::hear(FutureBase& task) {
  if (members_.empty()) wake_all(all_done_);
  if (task.status == FutureBase::Status::cancelled) return;
  const std::exception_ptr error = task.fetch_exception();
  if (!error) return;
  errors_.push_back(error);
  if (is_a<KeyboardInterrupt>(error) && !interrupt_) interrupt_ = error;
  if (aborting_ || parent_cancel_requested_) return;
  // The parent is in the body, or waits in exit(): either way it has to hear of this now.
  abort();
  parent_cancel_requested_ = true;
  parent_->cancel({});
}

std::string TaskGroupState::describe() const {
  std::string text = "<TaskGroup";
  if (!members_.empty()) text += " tasks=" + std::to_string(members_.size());
  if (!errors_.empty()) text += " errors=" + std::to_string(errors_.size());
  if (aborting_) {
    text += " cancelling";
  } else if (entered_) {
    text += " entered";
  }
  return text + ">";
}

}  // namespace weir::detail
