// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

class EventLoop;

/// The loop that is running on this thread.
///
/// Errors    RuntimeError "no running event loop".
EventLoop& get_running_loop();

namespace detail {
/// That loop, or null: set by run_forever(). Initial-exec, as current_task is (task/promise.hpp).
[[gnu::tls_model("initial-exec")]] extern constinit thread_local EventLoop* running_loop;
}  // namespace detail

}  // namespace weir
