// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/run_in_executor.hpp>

namespace WEIR_API weir {

/// Runs `function(arguments…)` on a thread of the default executor, for code that blocks.
///
/// Shape     std::string page = co_await to_thread(read_file, "index.html"s);
///           Lazy: the job is handed over when this is awaited. The arguments are copied or moved
///           in.
/// Errors    What the function throws. CancelledError: a job that has begun goes on, its result is
///           dropped. RuntimeError  the executor has no thread to give.
/// Threads   Await it on the loop's thread. The function must not touch loops or handles.
/// Source    CPython 3.13 threads.py to_thread.
template <class F, class... Args>
auto to_thread(F function, Args... arguments)
    -> Coro<std::remove_cvref_t<std::invoke_result_t<F&, Args...>>> {
  auto job = [call = std::move(function),
              with = std::tuple<Args...>(std::move(arguments)...)]() mutable {
    return std::apply([&](Args&... each) { return std::invoke(call, std::move(each)...); }, with);
  };
  auto done = get_running_loop().run_in_executor(std::move(job));
  co_return co_await done;
}

}  // namespace weir
