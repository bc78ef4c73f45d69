// SPDX-License-Identifier: MIT
#include <weir/reactor/task/runner.hpp>

#include <signal.h>

#include <vector>

namespace weir::detail {

InterruptScope::InterruptScope(EventLoop& loop, TaskBase& main) : loop_(loop) {
  try {
    loop_.add_signal_handler(SIGINT, [this, &main] {
      interrupted_ = true;
      main.request_cancel({});
      if (std::exchange(installed_, false)) loop_.remove_signal_handler(SIGINT);
    });
    installed_ = true;
  } catch (const RuntimeError&) {  // Another thread's loop has it: Ctrl-C is that one's business.
  }
}

InterruptScope::~InterruptScope() {
  if (installed_) loop_.remove_signal_handler(SIGINT);
}

void cancel_all_tasks(EventLoop& loop) {
  std::vector<Ref<FutureBase>> tasks;
  loop.owned().for_each([&](const Owned& owned) {
    if (const TaskBase* task = TaskBase::from(owned)) tasks.emplace_back(&task->future());
  });
  if (tasks.empty()) return;
  for (const auto& task : tasks) task->cancel({});
  struct Countdown final : FutureWaiter {
    explicit Countdown(const RunnableKind& its_kind) noexcept : FutureWaiter(its_kind) {}
    std::size_t* left = nullptr;
    EventLoop* loop = nullptr;
  };
  static constexpr RunnableKind countdown_kind = {
      [](Runnable& runnable) {
        auto& countdown = static_cast<Countdown&>(static_cast<FutureWaiter&>(runnable));
        if (--*countdown.left == 0) countdown.loop->stop();
      },
      [](const Runnable&) { return std::string("<end of a task>"); }};
  std::size_t left = tasks.size();
  std::vector<std::unique_ptr<Countdown>> waiters;
  for (const auto& task : tasks) {
    auto& waiter = *waiters.emplace_back(std::make_unique<Countdown>(countdown_kind));
    waiter.left = &left;
    waiter.loop = &loop;
    task->add_waiter(waiter);
  }
  while (left > 0) loop.run_forever();
  for (const auto& task : tasks) {
    if (task->status != FutureBase::Status::finished || !task->error) continue;
    task->exception_unseen = false;
    loop.call_exception_handler(
        ExceptionContext("unhandled exception during asyncio.run() shutdown", task->error)
            .with("task", task->describe()));
  }
}

void refuse_inside_a_loop() {
  if (running_loop != nullptr) throw RuntimeError("asyncio.run() cannot be called from a running event loop");
}

}  // namespace weir::detail
