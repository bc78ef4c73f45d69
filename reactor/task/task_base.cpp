// SPDX-License-Identifier: MIT
#include <weir/reactor/task/task_base.hpp>

#include <atomic>
#include <source_location>
#include <utility>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/no_alloc.hpp>
#include <weir/reactor/place.hpp>
#include <weir/reactor/report.hpp>
#include <weir/reactor/trace/tracer.hpp>

namespace weir::detail {
namespace {

std::atomic<std::uint64_t> next_task_number = 1;

TaskBase& task_of(Runnable& runnable) { return static_cast<TaskBase&>(runnable); }
const RunnableKind step_kind = {
    [](Runnable& runnable) { task_of(runnable).step(); },
    [](const Runnable& runnable) { return static_cast<const TaskBase&>(runnable).describe_task(); },
    nullptr,
    [](Runnable& runnable, RunNote& note) { task_of(runnable).note_step(note); },
};

/// The co_awaits where it is suspended, the innermost first.
std::vector<std::source_location> stack_of(const TaskBase& task) {
  std::vector<std::source_location> stack;
  const PromiseBase* at = task.parked() != nullptr ? task.parked()->waiter : nullptr;
  for (; at != nullptr; at = at->parent) stack.push_back(at->awaits_at);
  return stack;
}

const Owned::Kind owned_kind = {
    [](Owned& owned) { static_cast<TaskBase&>(owned).request_cancel({}); },
    [](Owned& owned) { static_cast<TaskBase&>(owned).abandon(); },
};

}  // namespace

constinit thread_local TaskBase* current_task = nullptr;
constinit thread_local void* frame_in_the_making = nullptr;

TaskBase::TaskBase(FutureBase& its_future, std::string its_name)
    : Owned(owned_kind),
      Queueable(step_kind),
      future_(its_future),
      number_(next_task_number.fetch_add(1, std::memory_order_relaxed)) {
  if (!its_name.empty()) set_name(std::move(its_name));
}

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

/// The wait that has just begun is the one that a cancellation strikes.
void TaskBase::cancel_at_once() {
  if (waits_left_ != 0) {
    --waits_left_;
    if (waits_left_ == 0) {
      ++cancel_requests_;
      must_cancel_ = true;
    }
  }
  if (must_cancel_ && parked_->kind->cancel(*parked_, cancel_text())) must_cancel_ = false;
}

// [trampoline]
/// Resumes one coroutine after the other, each from this same stack frame: neither a long chain of
/// awaits nor a deep one grows the stack, whether the compiler makes tail calls or not.
void TaskBase::run_trampoline() {
  TaskBase* outer = std::exchange(current_task, this);
  while (PromiseBase* promise = std::exchange(next_, nullptr)) {
    promise->self.resume();
  }
  current_task = outer;
}
// [/trampoline]

/// The task stays while the coroutine runs, though the last handle may go: the loop's reference to
/// it ends in complete(), or once it has no more steps.
void TaskBase::step() {
  Parked* const woken = std::exchange(parked_, nullptr);
  if (must_cancel_) [[unlikely]] {
    // Cancelled before its first step, or stuck: nothing can throw in it.
    if (woken == nullptr) return end_cancelled();
    must_cancel_ = false;
    woken->cancelled = true;
  }
  if (woken != nullptr) next_ = woken->waiter;
  run_trampoline();
  if (outermost_->finished) return complete();
  if (parked_ == nullptr) [[unlikely]]
    report_bad_yield();
}

void TaskBase::report_bad_yield() {
  if (std::exchange(stuck_, true)) return;  // Somebody took back what had cancelled it.
  future_.loop().report(
      "Task got bad yield: it awaits something that is not weir's, and nothing will wake it",
      nullptr, [this](ExceptionContext context) {
        return std::move(context).with("task", describe_task());
      });
  if (must_cancel_) queue_stuck();  // It had cancelled itself before: nobody else will.
}

/// A stuck task hears of nothing any more, but can be ended.
void TaskBase::queue_stuck() {
  if (position != 0) return;
  set_turn(step_kind);
  future_.loop().ready().push(*this);
}

void TaskBase::complete() {
  unlink();
  const Ref<FutureBase> keep(&future_);
  future_.release();  // The loop's reference.
  last_await_ = outermost_->awaits_at;
  // Still set: it asked for its own cancellation and returned without another await. asyncio ends
  // it cancelled.
  task_kind().finish(*this, std::exchange(must_cancel_, false));
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
  const NoAllocScope cancelling;
  if (Tracer* tracer = future_.token->loop != nullptr ? future_.token->loop->tracer() : nullptr) {
    tracer->cancelled(number_, [this] { return name(); });
  }
  if (future_.done()) return future_.settle_cancelled(message);
  if (hears_of_cancel_) {  // A gather has led it back here: the ring ends at this wait.
    cancel_wait(message);
    return true;
  }
  // A task that awaits another has that one cancelled in its place. Such a chain may be of any
  // length, so it is followed in a loop, and it may be a ring.
  TaskBase* last = this;
  for (TaskBase* at = this; at != nullptr && !at->hears_of_cancel_; at = at->awaited_task()) {
    at->hears_of_cancel_ = true;
    ++at->cancel_requests_;
    last = at;
  }
  last->cancel_wait(message);
  // Not by awaited_task(): a gather may have led it back, and one of these waits be cancelled.
  for (TaskBase* at = this; at != last; at = at->parked_->kind->awaited_task(*at->parked_)) {
    at->hears_of_cancel_ = false;
  }
  last->hears_of_cancel_ = false;
  return true;
}

/// The task that is to be cancelled in this one's place, or null.
TaskBase* TaskBase::awaited_task() const noexcept {
  if (parked_ == nullptr || parked_->cancelled || parked_->kind->awaited_task == nullptr)
    return nullptr;
  TaskBase* awaited = parked_->kind->awaited_task(*parked_);
  return awaited != nullptr && !awaited->future_.done() ? awaited : nullptr;
}

/// Ends the wait that the task is parked on; failing that, sees to it that the next step throws.
void TaskBase::cancel_wait(const std::string& message) {
  if (parked_ != nullptr && parked_->cancelled) return;  // Cancelled before: that message stays.
  const bool ended = parked_ != nullptr && parked_->kind->cancel(*parked_, message);
  future_.texts.set_cancel_message(message);
  if (ended) return;
  must_cancel_ = true;  // It runs, has not started, or is woken already.
  if (stuck_) queue_stuck();
}

std::uint32_t TaskBase::uncancel() noexcept {
  if (cancel_requests_ > 0) --cancel_requests_;
  if (cancel_requests_ == 0) must_cancel_ = false;
  return cancel_requests_;
}

void TaskBase::destroy_frames() noexcept {
  // Innermost first, as an exception would unwind them; one after the other, so that a chain of any
  // depth needs no stack. Each frame's owner stands in the next one out, and must not destroy it
  // again.
  PromiseBase* at = parked_ != nullptr ? parked_->waiter : next_ != nullptr ? next_ : outermost_;
  parked_ = nullptr;
  next_ = nullptr;
  while (at != nullptr) {
    PromiseBase* parent = at->parent;
    if (at->owner != nullptr) at->owner->promise = nullptr;
    at->self.destroy();
    at = parent;
  }
  task_kind().drop(*this);
  last_await_ = std::source_location();
}

void TaskBase::abandon() {
  const Ref<FutureBase> keep(&future_);
  EventLoop& its_loop = future_.loop();
  its_loop.report("Task was destroyed but it is pending!", nullptr,
                  [this](ExceptionContext context) {
                    context.extra.emplace_back("task", describe_task());
                    const std::string stack = describe_stack(stack_of(*this));
                    return stack.empty() ? context : std::move(context).with("stack", stack);
                  });
  if (position != 0) its_loop.ready().remove(*this);
  if (Parked* node = std::exchange(parked_, nullptr)) {
    next_ = node->waiter;  // Where the frames begin; forget() may free the node.
    node->kind->forget(*node);
  }
  end_cancelled();
}

/// Ends without another step: the frames go, the future is cancelled, the loop lets go.
void TaskBase::end_cancelled() {
  stuck_ = false;  // What the frames hold may cancel it again: no step is to come of that.
  destroy_frames();
  future_.settle_cancelled(cancel_text());
  unlink();
  future_.release();
}

void TaskBase::note_step(RunNote& note) {
  note.task = number_;
  note.name = name();
  note.stack = stack_of(*this);
  note.outcome = [this, keep = Ref<FutureBase>(&future_)]() -> RunOutcome {
    if (future_.status == FutureBase::Status::cancelled) return {"ends, cancelled"};
    if (future_.error) return {"fails: " + weir::describe(future_.error)};
    if (future_.done()) return {"is done"};
    if (parked_ == nullptr) return {"hangs: it awaits what is not weir's"};
    return {"waits for " + parked_->kind->describe(*parked_) + ", in " +
            describe_place(users_place(stack_of(*this)))};
  };
}

std::string TaskBase::name() const {
  const std::string* const given = future_.texts.name();
  return given != nullptr ? *given : "Task-" + std::to_string(number_);
}

std::string TaskBase::name_attribute() const { return " name='" + name() + "'"; }

TaskBase& require_current_task() {
  if (current_task == nullptr) throw RuntimeError("no running task");
  return *current_task;
}

void throw_dropped_body() {
  throw RuntimeError(
      "The compiler dropped the body of this coroutine (g++ 12 does that when a coroutine declares "
      "no local variable and a co_await stands in a condition). Declare a local variable first, or "
      "declare one in the condition: while (auto line = co_await reader.next_line())");
}

void throw_already_awaited(const PromiseBase* promise) {
  throw RuntimeError(promise == nullptr || promise->finished
                         ? "cannot reuse already awaited coroutine"
                         : "coroutine is being awaited already");
}

}  // namespace weir::detail
