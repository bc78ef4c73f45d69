// SPDX-License-Identifier: MIT
#include <weir/reactor/task/future.hpp>

namespace weir::detail {
namespace {

const RunnableKind done_callback_kind = {
    [](Runnable& runnable) {
      auto& node = static_cast<DoneCallbackNode&>(static_cast<FutureWaiter&>(runnable));
      const Ref<DoneCallbackNode> keep(&node);
      node.release();  // The ready queue's reference.
      try {
        node.callback();
      } catch (const KeyboardInterrupt&) {
        throw;
      } catch (...) {
        node.future->loop().call_exception_handler(
            ExceptionContext("Exception in callback of " + node.future->describe(), std::current_exception())
                .with("future", node.future->describe()));
      }
      node.callback.reset();
    },
    [](const Runnable& runnable) {
      const auto& node = static_cast<const DoneCallbackNode&>(static_cast<const FutureWaiter&>(runnable));
      return "<done callback of " + node.future->describe() + ">";
    }};

FutureWait& wait_of(Parked& parked) { return static_cast<FutureWait&>(parked); }

const RunnableKind wake_kind = {
    [](Runnable& runnable) {
      static_cast<FutureWait&>(static_cast<FutureWaiter&>(runnable)).task->step();
    },
    [](const Runnable& runnable) {
      return static_cast<const FutureWait&>(static_cast<const FutureWaiter&>(runnable)).task->describe_task();
    }};

const Parked::Kind wait_kind = {
    [](Parked& parked, const std::string& message) { return wait_of(parked).future.cancel(message); },
    [](Parked& parked) noexcept {
      FutureWait& wait = wait_of(parked);
      wait.unlink();
      if (wait.position != 0) wait.future.token->loop->ready().remove(wait);
    }};

}  // namespace

DoneCallbackNode::DoneCallbackNode(FutureBase& its_future, Callback its_callback)
    : FutureWaiter(done_callback_kind), future(&its_future), callback(std::move(its_callback)) {}

FutureWait::FutureWait(FutureBase& its_future) noexcept
    : FutureWaiter(wake_kind), Parked(wait_kind), future(its_future) {}

void FutureWait::park(PromiseBase& promise) {
  TaskBase& awaiting = *current_task;
  if (&future == &awaiting.future()) {
    throw RuntimeError("Task cannot await on itself: " + awaiting.describe_task());
  }
  if (future.token != awaiting.future().token) {
    throw RuntimeError("Task " + awaiting.describe_task() + " got " + future.describe() +
                       " attached to a different loop");
  }
  future.add_waiter(*this);
  awaiting.park(*this, promise);
}

void FutureWait::check() const {
  if (cancelled && future.status != FutureBase::Status::cancelled) throw CancelledError(task->cancel_text());
}

}  // namespace weir::detail
