// SPDX-License-Identifier: MIT
#include <weir/reactor/task/runner.hpp>

#include <signal.h>

#include <list>
#include <vector>

#include <weir/reactor/report.hpp>

namespace weir::detail {
namespace {

void report_failures(EventLoop& loop, const std::vector<Ref<FutureBase>>& tasks) {
  for (const auto& task : tasks) {
    if (!task->exception_unseen) continue;
    task->exception_unseen = false;
    loop.report("unhandled exception during asyncio.run() shutdown", task->error,
                [&](ExceptionContext context) {
                  return std::move(context).with("task", task->describe());
                });
  }
}

/// Runs until every task that there is now has ended, cancelled.
void cancel_all_tasks(EventLoop& loop) {
  std::vector<Ref<FutureBase>> tasks;
  loop.owned().for_each([&](const Owned& owned) {
    if (const TaskBase* task = TaskBase::from(owned)) tasks.emplace_back(&task->future());
  });
  std::size_t left = tasks.size();
  std::list<StopWhenDone> stoppers;  // A list: they stay where they are.
  for (const auto& task : tasks) {
    task->cancel({});
    task->add_waiter(stoppers.emplace_back(loop, left));
  }
  try {
    // NOLINTNEXTLINE(bugprone-infinite-loop): the stoppers count it down.
    while (left > 0) loop.run_forever();
  } catch (...) {
    for (const auto& task : tasks) task->seen_if_thrown(std::current_exception());
    throw;
  }
  report_failures(loop, tasks);
}

}  // namespace

bool has_default_action(Kernel& kernel, int signal_number) {
  struct sigaction now{};
  if (kernel.signal_action(signal_number, nullptr, &now) != 0) return false;
  return (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL;
}

InterruptScope::InterruptScope(EventLoop& loop, TaskBase& main) : loop_(loop) {
  if (!has_default_action(loop.kernel(), SIGINT)) return;
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

void shut_down(EventLoop& loop) {
  try {
    cancel_all_tasks(loop);
  } catch (...) {
    loop.close();
    throw;
  }
  loop.close();
}

void refuse_inside_a_loop() {
  if (running_loop == nullptr) return;
  throw RuntimeError("asyncio.run() cannot be called from a running event loop");
}

}  // namespace weir::detail
