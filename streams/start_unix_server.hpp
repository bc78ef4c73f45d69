// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>

#include <weir/net/unix_server.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/streams/stream_reader_protocol.hpp>

namespace WEIR_API weir {

/// UnixServerOptions, and the limit of every client's reader.
struct StartUnixServerOptions {
  std::ptrdiff_t limit = default_limit_bytes;
  Socket* sock = nullptr;  // A bound unix stream socket to use instead of a path; moved from.
  int backlog = 100;
  bool start_serving = true;
  std::optional<bool> cleanup_socket = std::nullopt;
};
static_assert(std::is_trivially_destructible_v<StartUnixServerOptions>);

namespace detail {
/// What create_unix_server() wants to know. Checks the limit.
UnixServerOptions server_options(const StartUnixServerOptions& options);
}  // namespace detail

/// start_server() over a unix socket.
///
/// Shape     weir::Server server = co_await weir::start_unix_server(greet, "/run/app.sock");
/// Errors    ValueError "Limit cannot be <= 0", at once. Else as create_unix_server(); what a
///           client callback does wrong: see StreamReaderProtocol.
/// Threads   In a task.
/// Lifetime  As start_server().
/// Source    CPython 3.13 streams.py start_unix_server.
Coro<Server> start_unix_server(ClientConnected client_connected, std::string_view path,
                               const StartUnixServerOptions& options = {});
/// The same over `options.sock`.
Coro<Server> start_unix_server(ClientConnected client_connected,
                               const StartUnixServerOptions& options);

}  // namespace weir
