// SPDX-License-Identifier: MIT
#include <weir/reactor/task/call_graph.hpp>

#include <signal.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/place.hpp>
#include <weir/reactor/report.hpp>

namespace weir {
namespace detail {
namespace {

FrameCallGraphEntry entry(const std::source_location& place) {
  return {short_function_name(place.function_name()), place.file_name(), place.line()};
}

}  // namespace

TaskCallGraph call_graph_of(const TaskBase& task) {
  TaskCallGraph graph{task.name(), "its turn", {}};
  const Parked* parked = task.parked();
  if (&task == current_task) {
    graph.waits_for = "nothing: it runs";
  } else if (task.stuck()) {
    graph.waits_for = "something that is not weir's, for ever";
  } else if (parked == nullptr) {
    graph.waits_for = "its first turn";
  } else {
    graph.waits_for = parked->kind->describe(*parked);
    for (const PromiseBase* at = parked->waiter; at != nullptr; at = at->parent) {
      graph.call_stack.push_back(entry(at->awaits_at));
    }
  }
  return graph;
}

void dump_tasks_as_wished(EventLoop& loop) {
  const char* wish = std::getenv("WEIR_DUMP");
  if (wish == nullptr || *wish == '\0') return;
  const std::string_view name = wish;
  for (const auto& [its_name, number] :
       {std::pair<std::string_view, int>("QUIT", SIGQUIT), {"USR1", SIGUSR1}, {"USR2", SIGUSR2}}) {
    if (name != its_name) continue;
    try {
      return dump_tasks_on_signal(loop, number);
    } catch (const RuntimeError&) {  // Another thread's loop has it, and tells of its own tasks.
      return;
    }
  }
  throw ValueError("WEIR_DUMP: expected QUIT, USR1 or USR2, got " + std::string(name));
}

}  // namespace detail

std::vector<TaskCallGraph> capture_call_graph(EventLoop& loop) {
  std::vector<TaskCallGraph> graphs;
  loop.owned().for_each([&](const detail::Owned& owned) {
    if (const auto* task = detail::TaskBase::from(owned)) {
      graphs.push_back(detail::call_graph_of(*task));
    }
  });
  return graphs;
}

std::string format_call_graph(const TaskCallGraph& task) {
  std::string text = task.name + " waits for " + task.waits_for + "\n";
  for (const FrameCallGraphEntry& frame : task.call_stack) {
    text += "  at " + frame.function + " (" + frame.file + ":" + std::to_string(frame.line) + ")\n";
  }
  return text;
}

std::string dump_tasks(EventLoop& loop) {
  const std::vector<TaskCallGraph> graphs = capture_call_graph(loop);
  std::string text = std::to_string(graphs.size()) + (graphs.size() == 1 ? " task\n" : " tasks\n");
  for (const TaskCallGraph& graph : graphs) text += format_call_graph(graph);
  text.pop_back();
  return text;
}

void dump_tasks_on_signal(EventLoop& loop, int signal_number) {
  loop.add_signal_handler(signal_number, [&loop] {
    loop.log_text(LogLevel::warning, "no memory to tell of the tasks",
                  [&loop] { return dump_tasks(loop); });
  });
}

}  // namespace weir
