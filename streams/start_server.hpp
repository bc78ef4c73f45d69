// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <type_traits>

#include <weir/net/server.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/streams/stream_reader_protocol.hpp>

namespace WEIR_API weir {

/// ServerOptions, and the limit of every client's reader.
struct StartServerOptions {
  std::ptrdiff_t limit = default_limit_bytes;
  int family = AF_UNSPEC;
  int flags = AI_PASSIVE;
  Socket* sock = nullptr;  // A bound stream socket to use instead of host and port; moved from.
  int backlog = 100;
  bool reuse_address = true;
  bool start_serving = true;
  bool reuse_port = false;
  bool keep_alive = false;
};
static_assert(std::is_trivially_destructible_v<StartServerOptions>);

namespace detail {
/// Makes a protocol with a reader for every client.
ProtocolFactory protocol_for(ClientConnected client_connected, std::ptrdiff_t limit);
/// What create_server() wants to know. Checks the limit.
ServerOptions server_options(const StartServerOptions& options);
}  // namespace detail

/// Serves streams: calls `client_connected` with a reader and a writer for every client. A
/// coroutine becomes a task that the loop keeps.
///
/// Shape     weir::Server server = co_await weir::start_server(greet, "127.0.0.1", 8888);
/// Errors    ValueError "Limit cannot be <= 0", at once (asyncio finds out with the first client).
///           Else as create_server(); what a client callback does wrong: see StreamReaderProtocol.
/// Threads   In a task.
/// Lifetime  Arguments are copied before this returns. A handler that returns, or throws away its
///           writer, closes its connection.
/// Source    CPython 3.13 streams.py start_server.
Coro<Server> start_server(ClientConnected client_connected, const Hosts& hosts, Port port,
                          const StartServerOptions& options = {});
/// The same over `options.sock`.
Coro<Server> start_server(ClientConnected client_connected, const StartServerOptions& options);

}  // namespace weir
