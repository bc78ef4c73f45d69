// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/net/server.hpp>
#include <weir/net/socket.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>

namespace WEIR_API weir {

/// Options of create_unix_server().
struct UnixServerOptions {
  Socket* sock = nullptr;  // A bound unix stream socket to use instead of a path; moved from.
  int backlog = 100;
  bool start_serving = true;
  // Whether close() removes the socket's file. Not said: if it was made here, not if it is sock's.
  std::optional<bool> cleanup_socket = std::nullopt;
};
static_assert(std::is_trivially_destructible_v<UnixServerOptions>);

namespace detail {
Coro<Server> create_unix_server(ProtocolFactory factory, std::string_view path,
                                const UnixServerOptions& options);
Coro<Server> create_unix_server(ProtocolFactory factory, const UnixServerOptions& options);
}  // namespace detail

/// Binds `path` and listens; every connection gets a protocol from `factory`. A path that begins
/// with a NUL is an abstract name (Linux), which leaves no file.
///
/// Shape     weir::Server server = co_await create_unix_server(factory, "/run/app.sock");
///           A socket that a dead server has left at `path` is removed; one that somebody listens
///           at is not (asyncio takes it away). close() removes the file, if the path still leads
///           to it.
/// Errors    ValueError "path and sock can not be specified at the same time", "path was not
///           specified, and no sock specified", "A UNIX Domain Stream Socket was expected, got …",
///           "path must not be empty", "embedded null byte", a bad backlog. OSError "AF_UNIX path
///           too long"; "[Errno 98] Address '/run/app.sock' is already in use", also by a regular
///           file; otherwise what bind(2) says. On every failure, and when it is cancelled, the
///           socket is closed and its file removed, unless cleanup_socket is false.
/// Threads   In a task. Gives up one pass after listening.
/// Lifetime  Arguments are copied before this returns.
/// Source    CPython 3.13 unix_events.py create_unix_server.
template <class Factory>
Coro<Server> create_unix_server(Factory factory, std::string_view path,
                                const UnixServerOptions& options = {}) {
  return detail::create_unix_server(detail::ProtocolFactory(std::move(factory)), path, options);
}
/// The same over `options.sock`.
template <class Factory>
Coro<Server> create_unix_server(Factory factory, const UnixServerOptions& options) {
  return detail::create_unix_server(detail::ProtocolFactory(std::move(factory)), options);
}

}  // namespace weir
