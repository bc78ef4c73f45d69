// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/task_base.hpp>

namespace WEIR_API weir {

/// A coroutine that is suspended: in which function, and at which of its co_awaits.
struct FrameCallGraphEntry {
  std::string function;  // "Session::serve": without result, parameters, anonymous namespaces.
  std::string file;
  unsigned line = 0;
};

/// A task, and where it stands.
struct TaskCallGraph {
  std::string name;
  /// What it waits for: "readuntil() of <SocketTransport fd=7 …>: no separator in 12 of at most 64
  /// bytes"; or "its turn", "its first turn".
  std::string waits_for;
  /// The innermost coroutine first, then who awaits it. Empty before the first step, and while the
  /// task runs.
  std::vector<FrameCallGraphEntry> call_stack;
};

/// Every task of the loop, the newest last: where it is suspended, and what it waits for.
///
/// Shape     One line a frame: the innermost stands first, and names the co_await.
///           Task-2 waits for sleep(), 59.000 s left
///             at level5 (server.cpp:12)
///             at level4 (server.cpp:19)
/// Errors    std::bad_alloc.
/// Threads   The loop's thread; also from inside a task.
/// Cost      To be able to answer, an await that suspends stores one pointer; others nothing. No
///           code of the user's is run.
/// Source    CPython 3.14 asyncio.capture_call_graph(), of all tasks; those that await a task are
///           not listed under it, but say so themselves.
std::vector<TaskCallGraph> capture_call_graph(EventLoop& loop);
std::string format_call_graph(const TaskCallGraph& task);
/// All of them, as one text.
std::string dump_tasks(EventLoop& loop);

/// Logs dump_tasks() as a warning whenever the signal arrives: kill -QUIT tells where a server
/// hangs.
///
/// Errors    As EventLoop::add_signal_handler(). In place of the handler that the signal had.
/// Threads   The loop must run: one that is stuck in a callback answers when that returns.
void dump_tasks_on_signal(EventLoop& loop, int signal_number);

namespace detail {
/// For run(): dump_tasks_on_signal() if the environment variable WEIR_DUMP names a signal: QUIT,
/// USR1 or USR2.
///
/// Errors    ValueError  it names another one.
void dump_tasks_as_wished(EventLoop& loop);

TaskCallGraph call_graph_of(const TaskBase& task);
}  // namespace detail

}  // namespace weir
