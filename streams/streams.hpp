// Public.
// SPDX-License-Identifier: MIT
#pragma once

// Everything, for users. weir's own files never include this one.
#include <weir/net/connect.hpp>
#include <weir/net/sendfile.hpp>
#include <weir/net/server.hpp>
#include <weir/net/unix_connect.hpp>
#include <weir/net/unix_server.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/any_task.hpp>
#include <weir/reactor/task/as_completed.hpp>
#include <weir/reactor/task/gather.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/run_coroutine_threadsafe.hpp>
#include <weir/reactor/task/run_in_executor.hpp>
#include <weir/reactor/task/runner.hpp>
#include <weir/reactor/task/shield.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task_group.hpp>
#include <weir/reactor/task/timeout_scope.hpp>
#include <weir/reactor/task/timeouts.hpp>
#include <weir/reactor/task/to_thread.hpp>
#include <weir/reactor/task/wait.hpp>
#include <weir/streams/open_connection.hpp>
#include <weir/streams/open_unix_connection.hpp>
#include <weir/streams/serve_on_threads.hpp>
#include <weir/streams/start_server.hpp>
#include <weir/streams/start_unix_server.hpp>
