// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/net/protocol.hpp>
#include <weir/net/resolver.hpp>
#include <weir/net/socket.hpp>
#include <weir/net/transport.hpp>
#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>

namespace WEIR_API weir {

/// A connection that was made: both ends of the callback interface.
template <class P = BaseProtocol>
struct Connection {
  Connection(std::shared_ptr<Transport> its_transport, std::shared_ptr<P> its_protocol)
      : transport(std::move(its_transport)), protocol(std::move(its_protocol)) {}
  std::shared_ptr<Transport> transport;
  std::shared_ptr<P> protocol;
};

/// Where a connection comes from; port 0 lets the kernel choose.
struct LocalAddress {
  std::string_view host;
  Port port = 0;
};

/// Options of create_connection() and open_connection().
struct ConnectOptions {
  int family = AF_UNSPEC;
  int protocol = 0;
  int flags = 0;           // AI_… for the lookup
  Socket* sock = nullptr;  // A connected socket to use instead of host and port; moved from.
  std::optional<LocalAddress> local_addr = std::nullopt;  // To bind to, before connecting.
  // The next address is tried after this time, besides those that have not answered. Nothing: only
  // when one has failed. RFC 8305 recommends 250 ms.
  std::optional<Duration> happy_eyeballs_delay = std::nullopt;
  // The families in turn, this many of the first one in front; 0: in the resolver's order. Not
  // said: 1 with happy_eyeballs_delay, else 0.
  std::optional<int> interleave = std::nullopt;
  bool all_errors = false;  // Failures come as an ExceptionGroup.
};
static_assert(std::is_trivially_destructible_v<ConnectOptions>);  // g++ 12: see
                                                                  // docs/adr/0006-option-structs.md

namespace detail {

using ProtocolFactory = std::function<std::shared_ptr<BaseProtocol>()>;

/// A TCP connection to the first address that takes one.
Coro<Socket> connect_socket(std::string_view host, Port port, const ConnectOptions& options);
/// The socket of the options, checked.
Socket take_given_socket(Socket& given);
/// Transport and protocol over `socket`; returns when connection_made has been called.
Coro<Connection<>> make_transport(Socket socket, std::shared_ptr<BaseProtocol> protocol);

void check_connect_arguments(bool has_address, const ConnectOptions& options);

template <class Factory>
using FactoryProtocol = typename std::invoke_result_t<Factory&>::element_type;

template <class Factory>
Coro<Connection<FactoryProtocol<Factory>>> connect_with(Coro<Socket> connecting, Factory factory) {
  Socket socket = co_await std::move(connecting);
  std::shared_ptr<FactoryProtocol<Factory>> protocol = factory();
  Connection<> made = co_await make_transport(std::move(socket), protocol);
  co_return Connection<FactoryProtocol<Factory>>(std::move(made.transport), std::move(protocol));
}

}  // namespace detail

/// Connects to `host` and `port`, then makes the protocol and the transport. Addresses are tried in
/// the order that the resolver gives, each to its end, unless the options say otherwise.
///
/// Shape     auto connection = co_await create_connection([] { return std::make_shared<Echo>(); },
///           "127.0.0.1", 8888);
///           The factory returns a std::shared_ptr to a class derived from Protocol or
///           BufferedProtocol.
/// Errors    ValueError "host/port and sock can not be specified at the same time", "host and port
///           was not specified and no sock specified", "A Stream Socket was expected, got …", a bad
///           port or host name. GaiError  the name does not resolve. OSError "getaddrinfo()
///           returned empty list". OSError by errno: "[Errno 111] Connect call failed ('127.0.0.1',
///           1)"; when several addresses fail in different ways "Multiple exceptions: …, …"; with
///           all_errors ExceptionGroup "create_connection failed". With local_addr also "[Errno 98]
///           error while attempting to bind on address …", "no matching local address with
///           family=<AddressFamily.AF_INET: 2> found".
///           What the factory throws. CancelledError. In every case the socket is closed.
/// Threads   In a task.
/// Lifetime  Arguments are copied before this returns. Cancelled after the connection was made, the
///           transport is closed: the protocol hears connection_made, then connection_lost(null).
/// Source    CPython base_events.py create_connection.
template <class Factory>
auto create_connection(Factory factory, std::string_view host, Port port,
                       const ConnectOptions& options = {}) {
  detail::check_connect_arguments(true, options);
  return detail::connect_with(detail::connect_socket(host, port, options), std::move(factory));
}

namespace detail {
Coro<Socket> given_socket(const ConnectOptions& options);
}  // namespace detail

/// The same over `options.sock`, a stream socket that is connected already.
template <class Factory>
auto create_connection(Factory factory, const ConnectOptions& options) {
  detail::check_connect_arguments(false, options);
  return detail::connect_with(detail::given_socket(options), std::move(factory));
}

/// Makes the protocol and the transport over a stream socket that was accepted elsewhere, which is
/// taken.
///
/// Errors    ValueError "A Stream Socket was expected, got …": the socket stays the caller's. What
///           the factory throws. CancelledError.
/// Threads   In a task.
/// Source    CPython base_events.py connect_accepted_socket.
template <class Factory>
auto connect_accepted_socket(Factory factory, Socket&& socket) {
  return create_connection(std::move(factory), ConnectOptions{.sock = &socket});
}

}  // namespace weir
