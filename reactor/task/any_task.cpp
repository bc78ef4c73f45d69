// SPDX-License-Identifier: MIT
#include <weir/reactor/task/any_task.hpp>

#include <weir/reactor/owned.hpp>
#include <weir/reactor/task/promise.hpp>

namespace weir {

std::optional<AnyTask> current_task() { return current_task(get_running_loop()); }

std::optional<AnyTask> current_task(const EventLoop& loop) {
  const detail::TaskBase* task = detail::current_task;
  if (task == nullptr || task->future().token->loop != &loop) return std::nullopt;
  return AnyTask(*task);
}

std::vector<AnyTask> all_tasks() { return all_tasks(get_running_loop()); }

std::vector<AnyTask> all_tasks(const EventLoop& loop) {
  std::vector<AnyTask> tasks;
  loop.owned().for_each([&tasks](const detail::Owned& owned) {
    if (const detail::TaskBase* task = detail::TaskBase::from(owned)) tasks.emplace_back(*task);
  });
  return tasks;
}

}  // namespace weir
