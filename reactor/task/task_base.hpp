// Internal: used by coro.hpp, task.hpp and every awaitable.
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <source_location>
#include <string>
#include <utility>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/ready_queue.hpp>
#include <weir/reactor/run_note.hpp>
#include <weir/reactor/task/future_base.hpp>
#include <weir/reactor/task/promise.hpp>

namespace WEIR_API weir {
namespace detail {

/// How deep coroutines may start each other on the real stack; deeper ones go through the
/// trampoline.
inline constexpr std::uint8_t max_inline_depth = 32;

/// What differs by type: finish() moves the result out of the coroutine and settles; drop()
/// destroys its frame.
struct TaskKind : FutureKind {
  void (*finish)(TaskBase&, bool cancelled_itself);
  void (*drop)(TaskBase&) noexcept;
};

/// The part of a task that does not depend on its type: a trampoline that drives a chain of
/// coroutines, and the counted cancellation of asyncio.
///
/// Lifetime  One object with its FutureBase. The loop holds a reference until the task is done; the
///           frames go when the coroutine completes.
class TaskBase : public Owned, public Queueable {
 public:
  /// Its kind is a TaskKind.
  TaskBase(FutureBase& its_future, std::string its_name);

  /// The task that `owned` is, or null.
  static const TaskBase* from(const Owned& owned) noexcept;

  /// The same object, as the future that it is.
  FutureBase& future() const noexcept { return future_; }

  /// Schedules the first step and joins the loop's tasks. `outermost` is claimed.
  void start(PromiseBase& outermost);

  // ---- For coroutines that run under this task

  /// Starts `child` on behalf of `parent`; true if the parent must suspend.
  bool start_child(PromiseBase& child, PromiseBase& parent) {
    child.parent = &parent;
    if (depth_ >= max_inline_depth) {
      next_ = &child;
      return true;
    }
    ++depth_;
    child.started_inline = true;
    child.self.resume();
    child.started_inline = false;
    --depth_;
    return !child.finished;
  }
  /// The trampoline resumes `promise` next; null ends the step.
  void resume_next(PromiseBase* promise) noexcept { next_ = promise; }
  /// Parks the task until `parked` wakes it. A cancellation that was asked for while the task ran
  /// strikes now.
  void park(Parked& parked, PromiseBase& waiter) {
    parked.task = this;
    parked.waiter = &waiter;
    parked.cancelled = false;
    parked_ = &parked;
    if (must_cancel_ || waits_left_ != 0) [[unlikely]]
      cancel_at_once();
  }

  // ---- For what wakes it

  /// What the ready queue runs of it: its next step, unless what it is parked on looks first. A
  /// task waits for one thing, so its own node serves for that, too.
  const RunnableKind& turn() const noexcept { return *Queueable::kind; }
  void set_turn(const RunnableKind& turn) noexcept { Queueable::kind = &turn; }
  /// Resumes the coroutine that is parked. Runs from the ready queue only.
  void step();

  // ---- Cancellation, as asyncio counts it

  bool request_cancel(const std::string& message);
  /// True while a request_cancel() that has come by here is still on its way along the tasks that
  /// wait for each other.
  bool hears_of_cancel() const noexcept { return hears_of_cancel_; }
  std::uint32_t cancelling() const noexcept { return cancel_requests_; }
  std::uint32_t uncancel() noexcept;
  /// The text of the CancelledError that a parked awaitable throws.
  const std::string& cancel_text() const noexcept { return future_.texts.cancel_message(); }

  // ---- For call_graph.hpp

  /// What it waits for; null unless it is suspended in an await of weir's.
  Parked* parked() const noexcept { return parked_; }
  bool stuck() const noexcept { return stuck_; }
  /// The co_await of the outermost coroutine that ended last: known once it is done.
  std::source_location last_await() const noexcept {
    return future_.done() ? last_await_ : std::source_location();
  }
  /// For those that run its steps.
  void note_step(RunNote& note);

  // ---- For cancel_sweep()

  /// Cancels it when it waits for the `number`th time from now, as if it had asked for that itself.
  /// A step that ends in an await counts.
  void cancel_at_wait(std::uint32_t number) noexcept { waits_left_ = number; }
  /// How often it has still to wait until then; 0: it has come to that.
  std::uint32_t waits_left() const noexcept { return waits_left_; }

  std::string name() const;
  void set_name(std::string name) { future_.texts.set_name(std::move(name)); }
  /// " name='Task-1'", for describe().
  std::string name_attribute() const;
  std::string describe_task() const { return future_.describe(); }

  /// Ends the task with what its coroutine threw: cancelled, or failed.
  void settle_failed(const std::exception_ptr& failure);

  /// The loop closes and the task did not end: destroys its frames from the innermost outwards, and
  /// reports it.
  void abandon();

 private:
  void cancel_at_once();
  inline void run_trampoline();
  void complete();
  void end_cancelled();
  void destroy_frames() noexcept;
  TaskBase* awaited_task() const noexcept;
  void cancel_wait(const std::string& message);
  void report_bad_yield();
  void queue_stuck();

  const TaskKind& task_kind() const noexcept { return *static_cast<const TaskKind*>(future_.kind); }

  // First, where Queueable has left four bytes.
  std::uint8_t depth_ = 0;    // At most max_inline_depth.
  bool must_cancel_ = false;  // The next step throws CancelledError.
  bool hears_of_cancel_ = false;
  bool stuck_ = false;  // It awaits what is not weir's.
  FutureBase& future_;
  union {
    PromiseBase* outermost_ = nullptr;  // Until it is done,
    std::source_location last_await_;   // and from then on: a task is no larger for it.
  };
  PromiseBase* next_ = nullptr;
  Parked* parked_ = nullptr;
  std::uint64_t number_;  // For "Task-1", where it has no name.
  std::uint32_t cancel_requests_ = 0;
  std::uint32_t waits_left_ = 0;  // Until it cancels itself; 0: it never does.
};

/// The task that runs now, or RuntimeError "no running task".
TaskBase& require_current_task();

}  // namespace detail
}  // namespace weir
