// SPDX-License-Identifier: MIT
#include <weir/reactor/task/future.hpp>

#include <weir/reactor/report.hpp>

namespace weir::detail {
namespace {

DoneCallbackNode& node_of(Runnable& runnable) {
  return static_cast<DoneCallbackNode&>(static_cast<FutureWaiter&>(runnable));
}

/// It has had its turn, or will have none. What the callback holds goes first, then the future.
void finish(DoneCallbackNode& node) {
  node.callback.reset();
  node.future = {};
  node.release();
}

void run_callback(Runnable& runnable) {
  DoneCallbackNode& node = node_of(runnable);
  struct Finish {
    DoneCallbackNode& its_node;
    ~Finish() { finish(its_node); }
  } at_the_end{node};
  try {
    node.callback();
  } catch (const KeyboardInterrupt&) {
    throw;
  } catch (...) {
    node.future->loop().report("Exception in callback of a future", std::current_exception(),
                               [&](ExceptionContext context) {
                                 const std::string text = node.future->describe();
                                 context.message = "Exception in callback of " + text;
                                 return std::move(context).with("future", text);
                               });
  }
}

const RunnableKind done_callback_kind = {
    run_callback,
    [](const Runnable& runnable) {
      const auto& waiter = static_cast<const FutureWaiter&>(runnable);
      return "<done callback of " + waiter.future->describe() + ">";
    },
    [](Runnable& runnable) { finish(node_of(runnable)); },
};

FutureWait& wait_of(Parked& parked) { return static_cast<FutureWait&>(parked); }

const RunnableKind wake_kind = {
    [](Runnable& runnable) {
      static_cast<FutureWait&>(static_cast<FutureWaiter&>(runnable)).task->step();
    },
    [](const Runnable& runnable) {
      return static_cast<const FutureWait&>(static_cast<const FutureWaiter&>(runnable))
          .task->describe_task();
    },
    nullptr,
    [](Runnable& runnable, RunNote& note) {
      static_cast<FutureWait&>(static_cast<FutureWaiter&>(runnable)).task->note_step(note);
    },
};

/// Stops waiting, and wakes the task. False if it is woken already.
bool leave_future(Parked& parked, const std::string&) {
  FutureWait& wait = wait_of(parked);
  if (wait.position != 0) return false;
  wait.future->loop().ready().push(wait);
  wait.unlink();
  wait.cancelled = true;
  return true;
}

/// Cancels the future, which wakes the task when that is done. Tasks that wait for each other, or
/// for a gather of each other, would never be: there, the one whose wait closes the ring leaves it.
bool cancel_future(Parked& parked, const std::string& message) {
  FutureWait& wait = wait_of(parked);
  TaskBase* task = wait.future->task();
  const bool closes_ring = wait.passes_cancel_on || (task != nullptr && task->hears_of_cancel());
  if (closes_ring) return leave_future(parked, message);
  wait.passes_cancel_on = true;
  const bool cancelled = wait.future->cancel(message);
  wait.passes_cancel_on = false;
  return cancelled;
}

void forget_wait(Parked& parked) noexcept {
  FutureWait& wait = wait_of(parked);
  wait.unlink();
  if (wait.position != 0) wait.future->token->loop->ready().remove(wait);
}

/// Not FutureBase::describe(): that asks an exception, which may be the user's, for its text.
std::string describe_wait(const Parked& parked) {
  const auto& wait = static_cast<const FutureWait&>(parked);
  if (wait.position != 0) return "its turn";
  const FutureKind& kind = *wait.future->kind;
  return std::string("a ") + kind.name + (kind.attributes ? kind.attributes(*wait.future) : "");
}

const Parked::Kind cancelling_kind = {
    cancel_future,
    forget_wait,
    [](Parked& parked) noexcept { return wait_of(parked).future->task(); },
    describe_wait,
};
const Parked::Kind leaving_kind = {leave_future, forget_wait, nullptr, describe_wait};

}  // namespace

DoneCallbackNode::DoneCallbackNode(const FutureBase& its_home, Callback its_callback)
    : FutureWaiter(done_callback_kind), home(&its_home), callback(std::move(its_callback)) {}

FutureWait::FutureWait(FutureBase& its_future, OnCancel on_cancel) noexcept
    : FutureWaiter(wake_kind),
      Parked(on_cancel == OnCancel::cancel_future ? cancelling_kind : leaving_kind) {
  future = Ref<FutureBase>(&its_future);
}

void FutureWait::park(PromiseBase& promise) {
  TaskBase& awaiting = *current_task;
  if (future.get() == &awaiting.future()) {
    throw RuntimeError("Task cannot await on itself: " + awaiting.describe_task());
  }
  if (future->token != awaiting.future().token) {
    throw RuntimeError("Task " + awaiting.describe_task() + " got " + future->describe() +
                       " attached to a different loop");
  }
  future->add_waiter(*this);
  awaiting.park(*this, promise);
}

void FutureWait::check() const {
  if (cancelled && future->status != FutureBase::Status::cancelled) {
    throw_cancelled(task->cancel_text());
  }
}

}  // namespace weir::detail
