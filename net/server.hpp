// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/net/hosts.hpp>
#include <weir/net/resolver.hpp>
#include <weir/net/socket.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>

namespace WEIR_API weir {

namespace detail {
class ServerState;
}  // namespace detail

/// Options of create_server() and start_server().
struct ServerOptions {
  int family = AF_UNSPEC;
  int flags = AI_PASSIVE;
  Socket* sock = nullptr;  // A bound stream socket to use instead of host and port; moved from.
  int backlog =
      100;  // Connections that wait in the kernel, and the most that one readiness accepts.
  bool reuse_address = true;  // SO_REUSEADDR
  bool start_serving = true;  // False: bound, but not listening until start_serving().
  bool reuse_port = false;    // SO_REUSEPORT: the kernel shares clients out among its listeners.
  bool keep_alive = false;    // SO_KEEPALIVE
};
static_assert(std::is_trivially_destructible_v<ServerOptions>);  // g++ 12: see
                                                                 // docs/adr/0006-option-structs.md

/// How serve_forever() ends when its task is cancelled.
struct ServeOptions {
  Duration grace = std::chrono::seconds(1);  // Between close_clients() and abort_clients().
};
static_assert(std::is_trivially_destructible_v<ServeOptions>);

/// Listening sockets and the connections that came in through them. A handle: copies name the same
/// server.
///
/// Errors    A listener survives every failed accept. Out of descriptors or memory it is reported
///           once ("socket.accept() out of system resource"), and accepting stops for one second;
///           waiting clients stay in the kernel's queue. A protocol factory that throws costs its
///           own connection only, and is reported.
/// Threads   The loop's thread.
/// Lifetime  The loop keeps a server that listens; dropping the handle does not stop it.
/// Source    CPython 3.13 base_events.py Server.
class Server {
 public:
  explicit Server(std::shared_ptr<detail::ServerState> state) noexcept : state_(std::move(state)) {}

  /// The listening sockets; none once closed.
  std::vector<TransportSocket> sockets() const;
  bool is_serving() const noexcept;

  /// Starts listening; idempotent. Gives up one pass.
  ///
  /// Errors    RuntimeError "server <Server …> is closed". OSError  listen() failed.
  Coro<> start_serving() const;

  /// Serves until the task is cancelled or close() is called; then throws CancelledError. When the
  /// task is cancelled: stops listening, closes the clients, aborts those that have not gone after
  /// the grace period, waits for the rest. CPython since 3.12.1 waits there for idle clients for
  /// ever. After close() the clients are left alone, and waited for.
  ///
  /// Errors    RuntimeError "server <Server …> is already being awaited on serve_forever()", "… is
  ///           closed".
  Coro<> serve_forever(const ServeOptions& options = {}) const;

  /// Stops listening at once; connections go on. Idempotent. Ends serve_forever().
  void close() const;
  /// Returns when the server is closed and its last connection is gone.
  Coro<> wait_closed() const;
  /// close(), or abort(), on every connection there is now.
  void close_clients() const;
  void abort_clients() const;

  /// <Server sockets=('127.0.0.1', 8888)>
  std::string repr() const;

  // ---- For weir's own layers
  const std::shared_ptr<detail::ServerState>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<detail::ServerState> state_;
};

namespace detail {
Coro<Server> create_server(ProtocolFactory factory, const Hosts& hosts, Port port,
                           const ServerOptions& options);
Coro<Server> create_server(ProtocolFactory factory, const ServerOptions& options);
}  // namespace detail

/// Binds and listens; every connection gets a protocol from `factory`.
///
/// Shape     weir::Server server = co_await create_server([] { return std::make_shared<Echo>(); },
///           "127.0.0.1", 8888);
///           Several hosts: {"127.0.0.1", "::1"}. An empty one means all interfaces, IPv4 and IPv6.
///           Port 0 lets the kernel choose, one port for all addresses: see sockets().
/// Errors    ValueError "host/port and sock can not be specified at the same time", "Neither
///           host/port nor sock were specified", "A Stream Socket was expected, got …", a bad port,
///           host name or backlog, "reuse_port not supported by socket module, SO_REUSEPORT
///           defined but not implemented.". OSError "[Errno 98] error while attempting to bind on
///           address
///           ('127.0.0.1', 80): address already in use"; "could not bind on any address out of
///           [...]"; "getaddrinfo('host') returned empty list". On every failure, and when it is
///           cancelled, all sockets are closed.
/// Threads   In a task. Gives up one pass after listening.
/// Lifetime  Arguments are copied before this returns.
/// Source    CPython 3.13 base_events.py create_server.
template <class Factory>
Coro<Server> create_server(Factory factory, const Hosts& hosts, Port port,
                           const ServerOptions& options = {}) {
  return detail::create_server(detail::ProtocolFactory(std::move(factory)), hosts, port, options);
}
/// The same over `options.sock`.
template <class Factory>
Coro<Server> create_server(Factory factory, const ServerOptions& options) {
  return detail::create_server(detail::ProtocolFactory(std::move(factory)), options);
}

}  // namespace weir
