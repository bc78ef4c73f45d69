// SPDX-License-Identifier: MIT
#include <weir/net/server.hpp>

#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <memory>

#include <weir/net/server_state.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>

namespace weir {
namespace detail {
namespace {

std::string lowercase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return text;
}

/// Bound, or an invalid socket where this machine has no such address.
Socket bind_to(EventLoop& loop, const AddressInfo& info, const ServerOptions& options) {
  int error = 0;
  Socket socket = Socket::open(loop.kernel(), info.family, info.type, info.protocol, error);
  if (error == EAFNOSUPPORT || error == EPROTONOSUPPORT) {  // A machine without IPv6.
    if (loop.get_debug())
      loop.log(LogLevel::warning,
               "create_server() failed to create a socket for " + info.endpoint.repr());
    return socket;
  }
  if (error != 0) throw_os_error(error);
  if (options.reuse_address) static_cast<void>(socket.set_option(SOL_SOCKET, SO_REUSEADDR, 1));
  // Else the IPv6 wildcard takes the IPv4 one too, and binding that fails.
  if (info.family == AF_INET6) static_cast<void>(socket.set_option(IPPROTO_IPV6, IPV6_V6ONLY, 1));
  error = socket.bind(info.endpoint);
  if (error == 0) return socket;
  const std::string text = "error while attempting to bind on address " + info.endpoint.repr() +
                           ": " + lowercase(std::strerror(error));
  if (error != EADDRNOTAVAIL) throw_os_error(error, text);
  if (loop.get_debug()) loop.log(LogLevel::warning, text);
  return Socket();
}

/// Without doubles: some systems list an address twice, and the second bind() would fail.
std::vector<AddressInfo> distinct(const std::vector<AddressInfo>& addresses) {
  std::vector<AddressInfo> found;
  for (const AddressInfo& info : addresses) {
    const bool known = std::any_of(found.begin(), found.end(), [&](const AddressInfo& other) {
      return other.endpoint == info.endpoint;
    });
    if (!known) found.push_back(info);
  }
  return found;
}

/// `host` is for the error text: as Python prints it, None for all interfaces.
Coro<Server> bind_all(ProtocolFactory factory, std::string host,
                      Coro<std::vector<AddressInfo>> resolving, ServerOptions options) {
  EventLoop& loop = get_running_loop();
  const auto state = std::make_shared<ServerState>(loop, std::move(factory), options.backlog);
  const std::vector<AddressInfo> addresses = co_await std::move(resolving);
  if (addresses.empty()) throw OSError("getaddrinfo(" + host + ") returned empty list");
  std::string tried;
  for (const AddressInfo& info : distinct(addresses)) {
    Socket socket = bind_to(loop, info, options);
    if (socket.valid()) state->add(std::move(socket));
    tried += (tried.empty() ? "" : ", ") + info.endpoint.repr();
  }
  if (state->listeners().empty())
    throw OSError("could not bind on any address out of [" + tried + "]");
  co_return co_await finish_server(state, options.start_serving);
}

}  // namespace

Coro<Server> create_server(ProtocolFactory factory, std::string_view host, Port port,
                           const ServerOptions& options) {
  if (options.sock != nullptr)
    throw ValueError("host/port and sock can not be specified at the same time");
  check_backlog(options.backlog);
  const ResolveOptions wanted{.family = options.family, .flags = options.flags};
  const std::string name = host.empty() ? "None" : "'" + std::string(host) + "'";
  return bind_all(std::move(factory), name, getaddrinfo(host, port, wanted), options);
}

Coro<Server> create_server(ProtocolFactory factory, const ServerOptions& options) {
  if (options.sock == nullptr) throw ValueError("Neither host/port nor sock were specified");
  check_backlog(options.backlog);
  const auto state =
      std::make_shared<ServerState>(get_running_loop(), std::move(factory), options.backlog);
  state->add(take_given_socket(*options.sock));
  return finish_server(state, options.start_serving);
}

}  // namespace detail

std::vector<TransportSocket> Server::sockets() const {
  std::vector<TransportSocket> sockets;
  for (const auto& listener : state_->listeners()) sockets.emplace_back(listener->socket());
  return sockets;
}

bool Server::is_serving() const noexcept { return state_->serving(); }

Coro<> Server::start_serving() const { return detail::start_and_yield(state_); }

Coro<> Server::serve_forever(const ServeOptions& options) const {
  return detail::ServerState::serve_until_stopped(state_, options.grace);
}

void Server::close() const { state_->close(); }
Coro<> Server::wait_closed() const { return detail::wait_until_finished(state_); }
void Server::close_clients() const { state_->close_clients(false); }
void Server::abort_clients() const { state_->close_clients(true); }
std::string Server::repr() const { return state_->repr(); }

}  // namespace weir
