// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>
#include <type_traits>

#include <weir/net/unix_connect.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/streams/open_connection.hpp>

namespace WEIR_API weir {

/// UnixConnectOptions, and the reader's limit.
struct OpenUnixOptions {
  std::ptrdiff_t limit = default_limit_bytes;
  Socket* sock = nullptr;  // A connected unix stream socket to use instead of a path; moved from.
};
static_assert(std::is_trivially_destructible_v<OpenUnixOptions>);

/// Connects to a unix socket, and gives a reader and a writer.
///
/// Shape     Streams streams = co_await open_unix_connection("/run/app.sock");
/// Errors    ValueError "Limit cannot be <= 0", before anything is connected. Else as
///           create_unix_connection().
/// Threads   In a task.
/// Lifetime  Arguments are copied before this returns.
/// Source    CPython streams.py open_unix_connection.
Coro<Streams> open_unix_connection(std::string_view path, const OpenUnixOptions& options = {});
/// The same over `options.sock`.
Coro<Streams> open_unix_connection(const OpenUnixOptions& options);

}  // namespace weir
