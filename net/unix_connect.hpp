// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/net/connect.hpp>
#include <weir/net/socket.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>

namespace WEIR_API weir {

/// Options of create_unix_connection().
struct UnixConnectOptions {
  Socket* sock = nullptr;  // A connected unix stream socket to use instead of a path; moved from.
};
static_assert(std::is_trivially_destructible_v<UnixConnectOptions>);

namespace detail {
Coro<Socket> connect_unix_socket(std::string_view path, const UnixConnectOptions& options);
Coro<Socket> given_unix_socket(const UnixConnectOptions& options);
/// The socket of the options, checked.
Socket take_given_unix_socket(Socket& given);
}  // namespace detail

/// Connects to the unix socket at `path`, then makes the protocol and the transport. A path that
/// begins with a NUL is an abstract name (Linux).
///
/// Shape     auto connection = co_await create_unix_connection(factory, "/run/app.sock");
///           While the server's backlog is full, connecting is tried again, every 100 ms at last:
///           give it a deadline with wait_for(). (asyncio returns a connection that is none.)
/// Errors    ValueError "path and sock can not be specified at the same time", "no path and sock
///           were specified", "A UNIX Domain Stream Socket was expected, got …", "path must not be
///           empty", "embedded null byte". OSError "AF_UNIX path too long"; as connect(2) says it:
///           FileNotFoundError "[Errno 2] No such file or directory", ConnectionRefusedError when
///           nobody listens there. What the factory throws. CancelledError. In every case the
///           socket is closed.
/// Threads   In a task.
/// Lifetime  As create_connection().
/// Source    CPython unix_events.py create_unix_connection.
template <class Factory>
auto create_unix_connection(Factory factory, std::string_view path,
                            const UnixConnectOptions& options = {}) {
  return detail::connect_with(detail::connect_unix_socket(path, options), std::move(factory));
}
/// The same over `options.sock`.
template <class Factory>
auto create_unix_connection(Factory factory, const UnixConnectOptions& options) {
  return detail::connect_with(detail::given_unix_socket(options), std::move(factory));
}

}  // namespace weir
