// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <type_traits>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/call_graph.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>

namespace WEIR_API weir {

namespace detail {

/// Neither handled nor ignored.
bool has_default_action(Kernel& kernel, int signal_number);

/// The first SIGINT cancels the main task; the second one finds the default disposition, and kills.
/// Only while SIGINT has that disposition: a program's own handler, or its wish to ignore it,
/// stays.
class InterruptScope {
 public:
  InterruptScope(EventLoop& loop, TaskBase& main);
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
  ~InterruptScope();
  bool interrupted() const noexcept { return interrupted_; }

 private:
  EventLoop& loop_;
  bool installed_ = false;
  bool interrupted_ = false;
};

/// Cancels every task of the loop, runs until they have ended, reports those that failed, and
/// closes the loop. The loop is closed also when this throws: KeyboardInterrupt out of a task,
/// OSError.
void shut_down(EventLoop& loop);
/// RuntimeError if a loop runs on this thread.
void refuse_inside_a_loop();

/// What run(Coro<T>) returns: the exit code of a main() that has one.
template <class T>
using RunResult = std::conditional_t<std::is_void_v<T>, int, T>;

template <class T>
RunResult<T> run_main(EventLoop& loop, Coro<T> main) {
  dump_tasks_as_wished(loop);
  const Task<T> task = loop.create_task(std::move(main));
  InterruptScope interrupt(loop, *task.state().task());
  constexpr int interrupted_exit_code = 130;  // 128 + SIGINT, as shells report it.
  try {
    if constexpr (std::is_void_v<T>) {
      loop.run_until_complete(task);
      return 0;
    } else {
      return loop.run_until_complete(task);
    }
  } catch (const CancelledError&) {
    if (!interrupt.interrupted()) throw;
    if constexpr (std::is_same_v<RunResult<T>, int>) {
      return interrupted_exit_code;
    } else {
      throw KeyboardInterrupt();
    }
  }
}

}  // namespace detail

/// Runs a program: makes a loop, runs `main` on it to the end, cancels what is left, and closes the
/// loop.
///
/// Shape     int main() { return weir::run(serve()); }
///           A Coro<int> gives its value, a Coro<> gives 0, others give their value.
/// Errors    Rethrows what `main` threw; if nothing, what running the leftovers to their end threw:
///           KeyboardInterrupt, OSError. RuntimeError "asyncio.run() cannot be called from a
///           running event loop".
///           The first SIGINT cancels `main`; if it then ends cancelled, run returns 130 (for other
///           types it throws KeyboardInterrupt). A second SIGINT kills the process. SIGINT is left
///           alone if the program handles or ignores it.
///           The environment variable WEIR_DUMP=QUIT (or USR1, USR2) makes that signal log all
///           tasks: dump_tasks_on_signal().
/// Threads   Any; SIGINT is served by the loop that asked for it first.
/// Lifetime  Tasks that are left are cancelled and waited for; threads of the default executor too.
/// Source    CPython 3.13 runners.py run.
template <class T>
detail::RunResult<T> run(Coro<T> main, Kernel& kernel = Kernel::posix()) {
  detail::refuse_inside_a_loop();
  EventLoop loop(kernel);
  Outcome<detail::RunResult<T>> outcome;
  try {
    outcome.set_value(detail::run_main(loop, std::move(main)));
  } catch (...) {
    outcome.set_exception(std::current_exception());
  }
  try {
    detail::shut_down(loop);
  } catch (...) {
    if (!outcome.exception()) outcome.set_exception(std::current_exception());
  }
  return std::move(outcome).value();
}

}  // namespace weir
