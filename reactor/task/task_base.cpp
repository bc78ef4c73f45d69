// SPDX-License-Identifier: MIT
#include <weir/reactor/task/task_base.hpp>

#include <atomic>
#include <utility>

#include <weir/reactor/error.hpp>

namespace weir::detail {
namespace {

std::atomic<std::uint64_t> next_task_number = 1;

TaskBase& task_of(Runnable& runnable) { return static_cast<TaskBase&>(runnable); }
const RunnableKind step_kind = {
    [](Runnable& runnable) { task_of(runnable).step(); },
    [](const Runnable& runnable) { return static_cast<const TaskBase&>(runnable).describe_task(); }};

const Owned::Kind owned_kind = {[](Owned& owned) { static_cast<TaskBase&>(owned).request_cancel({}); },
                                [](Owned& owned) { static_cast<TaskBase&>(owned).abandon(); }};

}  // namespace

constinit thread_local TaskBase* current_task = nullptr;

TaskBase::TaskBase(FutureBase& its_future, const TaskKind& its_kind, std::string its_name)
    : Owned(owned_kind),
      Runnable(step_kind),
      future_(its_future),
      task_kind_(&its_kind),
      name_(std::move(its_name)),
      number_(next_task_number.fetch_add(1, std::memory_order_relaxed)) {}

const TaskBase* TaskBase::from(const Owned& owned) noexcept {
  return owned.kind == &owned_kind ? static_cast<const TaskBase*>(&owned) : nullptr;
}

void TaskBase::start(PromiseBase& outermost) {
  EventLoop& its_loop = future_.loop();
  its_loop.check_closed();
  its_loop.ready().push(*this);
  its_loop.own(*this);
  outermost_ = next_ = &outermost;
  future_.add_ref();  // The loop's; complete() or abandon() gives it back.
}

void TaskBase::park(Parked& parked, PromiseBase& waiter) {
  parked.task = this;
  parked.waiter = &waiter;
  parked.cancelled = false;
  parked_ = &parked;
  if (must_cancel_ && parked.kind->cancel(parked, future_.cancel_message)) must_cancel_ = false;
}

void TaskBase::step() {
  const Ref<FutureBase> keep(&future_);  // The last handle may go while the coroutine runs.
  if (Parked* woken = std::exchange(parked_, nullptr)) {
    next_ = woken->waiter;
    if (std::exchange(must_cancel_, false)) woken->cancelled = true;
  } else if (must_cancel_) {  // Cancelled before its first step: the body never runs.
    must_cancel_ = false;
    end_cancelled();
    return;
  }
  run_trampoline();
  if (outermost_->finished) return complete();
  if (parked_ == nullptr) [[unlikely]] {
    future_.loop().call_exception_handler(
        ExceptionContext("Task got bad yield: it awaits something that is not weir's, and nothing will wake it")
            .with("task", describe_task()));
  }
}

/// Resumes one coroutine after the other, each from this same stack frame: neither a long chain of awaits nor a deep
/// one grows the stack, whether the compiler makes tail calls or not.
void TaskBase::run_trampoline() {
  TaskBase* outer = std::exchange(current_task, this);
  while (PromiseBase* promise = std::exchange(next_, nullptr)) {
    depth_ = 0;
    promise->self.resume();
    if (!promise->entered) [[unlikely]] {  // g++ 12 dropped the body: its parent, or complete(), throws.
      promise->finished = true;
      next_ = promise->parent;
    }
  }
  current_task = outer;
}

void TaskBase::complete() {
  unlink();
  const Ref<FutureBase> keep(&future_);
  future_.release();  // The loop's reference.
  if (!outermost_->entered) [[unlikely]] {
    destroy_frames();
    future_.settle_exception(dropped_body_error());
    return;
  }
  outermost_ = nullptr;
  // Still set: it asked for its own cancellation and returned without another await. asyncio ends it cancelled.
  task_kind_->finish(*this, std::exchange(must_cancel_, false));
}

void TaskBase::settle_failed(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const CancelledError& cancelled) {
    future_.settle_cancelled(cancelled.message());
  } catch (const KeyboardInterrupt&) {
    future_.settle_exception(failure);
    throw;  // Out of run_forever(), as in asyncio.
  } catch (...) {
    future_.settle_exception(failure);
  }
}

bool TaskBase::request_cancel(const std::string& message) {
  if (future_.done()) return future_.settle_cancelled(message);
  ++cancel_requests_;
  if (parked_ != nullptr && !parked_->cancelled && parked_->kind->cancel(*parked_, message)) {
    future_.cancel_message = message;
    return true;
  }
  // It runs, has not started, or is woken already: the next step throws.
  if (parked_ == nullptr || !parked_->cancelled) future_.cancel_message = message;
  must_cancel_ = true;
  return true;
}

std::uint32_t TaskBase::uncancel() noexcept {
  if (cancel_requests_ > 0) --cancel_requests_;
  if (cancel_requests_ == 0) must_cancel_ = false;
  return cancel_requests_;
}

void TaskBase::destroy_frames() noexcept {
  // Innermost first, as an exception would unwind them; one after the other, so that a chain of any depth needs no
  // stack. Each frame's owner stands in the next one out, and must not destroy it again.
  PromiseBase* at = parked_ != nullptr ? parked_->waiter : next_ != nullptr ? next_ : outermost_;
  parked_ = nullptr;
  next_ = nullptr;
  while (at != nullptr) {
    PromiseBase* parent = at->parent;
    if (at->owner != nullptr) at->owner->promise = nullptr;
    at->self.destroy();
    at = parent;
  }
  task_kind_->drop(*this);
  outermost_ = nullptr;
}

void TaskBase::abandon() {
  const Ref<FutureBase> keep(&future_);
  EventLoop& its_loop = future_.loop();
  its_loop.call_exception_handler(
      ExceptionContext("Task was destroyed but it is pending!").with("task", describe_task()));
  if (position != 0) its_loop.ready().remove(*this);
  if (parked_ != nullptr) parked_->kind->forget(*parked_);
  end_cancelled();
}

/// Ends without another step: the frames go, the future is cancelled, the loop lets go.
void TaskBase::end_cancelled() {
  destroy_frames();
  future_.settle_cancelled(std::string(future_.cancel_message));
  unlink();
  future_.release();
}

const std::string& TaskBase::name() {
  if (name_.empty()) name_ = "Task-" + std::to_string(number_);
  return name_;
}

std::string TaskBase::describe_task() const {
  std::string text = future_.describe();
  text.insert(text.size() - 1, " name='" + (name_.empty() ? "Task-" + std::to_string(number_) : name_) + "'");
  return text;
}

TaskBase& require_current_task() {
  if (current_task == nullptr) throw RuntimeError("no running task");
  return *current_task;
}

std::exception_ptr dropped_body_error() {
  return std::make_exception_ptr(RuntimeError(
      "The compiler dropped the body of this coroutine (g++ 12 does that when a coroutine declares no local variable "
      "and its first co_await stands in a condition). Declare a local variable first, or declare one in the "
      "condition: while (auto line = co_await reader.next_line())"));
}

}  // namespace weir::detail
