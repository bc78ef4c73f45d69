// SPDX-License-Identifier: MIT
#include <weir/net/server.hpp>

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <weir/net/bind_error.hpp>
#include <weir/net/server_state.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>

namespace weir {
namespace detail {
namespace {

// The first address takes a port that is free; somebody else may have it at another one.
constexpr int port_attempts = 16;

void log_if_debugging(EventLoop& loop, const std::string& text) {
  if (loop.get_debug()) loop.log(LogLevel::warning, text);
}

void set_options(Socket& socket, const ServerOptions& options) {
  const bool internet = socket.family() == AF_INET || socket.family() == AF_INET6;
  if (options.reuse_address) static_cast<void>(socket.set_option(SOL_SOCKET, SO_REUSEADDR, 1));
  // Since Linux 6.12.9 other families refuse it.
  if (options.reuse_port && internet && socket.set_option(SOL_SOCKET, SO_REUSEPORT, 1) != 0) {
    throw ValueError(
        "reuse_port not supported by socket module, SO_REUSEPORT defined but not implemented.");
  }
  if (options.keep_alive) static_cast<void>(socket.set_option(SOL_SOCKET, SO_KEEPALIVE, 1));
  // Else the IPv6 wildcard takes the IPv4 one too, and binding that fails.
  if (socket.family() == AF_INET6)
    static_cast<void>(socket.set_option(IPPROTO_IPV6, IPV6_V6ONLY, 1));
}

/// Bound; or an invalid socket, with an error of bind(2), or none where this machine has no such
/// address.
Socket bind_to(EventLoop& loop, const AddressInfo& info, const ServerOptions& options, int& error) {
  Socket socket = Socket::open(loop.kernel(), info.family, info.type, info.protocol, error);
  if (error == EAFNOSUPPORT || error == EPROTONOSUPPORT) {  // A machine without IPv6.
    log_if_debugging(loop, "create_server() failed to create a socket for " + info.endpoint.repr());
    error = 0;
    return socket;
  }
  if (error != 0) throw_os_error(error);
  set_options(socket, options);
  error = socket.bind(info.endpoint);
  if (error == 0) return socket;
  if (error == EADDRNOTAVAIL) {
    log_if_debugging(loop, bind_error_text(info.endpoint, error));
    error = 0;
  }
  return Socket();
}

/// One socket for each address that this machine has. Those that ask for port 0 get one port.
std::vector<Socket> bind_each(EventLoop& loop, const std::vector<AddressInfo>& addresses,
                              const ServerOptions& options) {
  for (int attempts_left = port_attempts;;) {
    --attempts_left;
    std::vector<Socket> sockets;
    bool clash = false;
    for (AddressInfo info : addresses) {
      const bool shares_port = info.endpoint.port() == 0 && !sockets.empty();
      if (shares_port) {
        const std::uint16_t port = sockets.front().local_endpoint().port();
        if (port == 0) throw OSError("could not find out which port the system has chosen");
        info.endpoint = info.endpoint.with_port(port);
      }
      int error = 0;
      Socket socket = bind_to(loop, info, options, error);
      clash = error == EADDRINUSE && shares_port && attempts_left > 0;
      if (clash) break;
      if (error != 0) throw_os_error(error, bind_error_text(info.endpoint, error));
      if (socket.valid()) sockets.push_back(std::move(socket));
    }
    if (!clash) return sockets;
  }
}

/// Adds what is not there yet: some systems list an address twice, and the second bind() would
/// fail.
void merge(std::vector<AddressInfo>& found, const std::vector<AddressInfo>& more) {
  for (const AddressInfo& info : more) {
    const bool known = std::any_of(found.begin(), found.end(), [&](const AddressInfo& other) {
      return other.endpoint == info.endpoint;
    });
    if (!known) found.push_back(info);
  }
}

std::string list_of(const std::vector<AddressInfo>& addresses) {
  std::string text;
  for (const AddressInfo& info : addresses)
    text += (text.empty() ? "" : ", ") + info.endpoint.repr();
  return "[" + text + "]";
}

/// A host that is being looked up.
struct Lookup {
  Lookup(std::string its_name, Coro<std::vector<AddressInfo>> its_answer)
      : name(std::move(its_name)), answer(std::move(its_answer)) {}
  std::string name;  // For the error text: as Python prints it, None for all interfaces.
  Coro<std::vector<AddressInfo>> answer;
};

Coro<Server> bind_all(ProtocolFactory factory, std::vector<Lookup> lookups, ServerOptions options) {
  EventLoop& loop = get_running_loop();
  const auto state = std::make_shared<ServerState>(loop, std::move(factory), options.backlog);
  std::vector<AddressInfo> addresses;
  for (Lookup& lookup : lookups) {
    const std::vector<AddressInfo> found = co_await std::move(lookup.answer);
    if (found.empty()) throw OSError("getaddrinfo(" + lookup.name + ") returned empty list");
    merge(addresses, found);
  }
  for (Socket& socket : bind_each(loop, addresses, options)) state->add(std::move(socket));
  if (state->listeners().empty())
    throw OSError("could not bind on any address out of " + list_of(addresses));
  co_return co_await finish_server(state, options.start_serving);
}

}  // namespace

Coro<Server> create_server(ProtocolFactory factory, const Hosts& hosts, Port port,
                           const ServerOptions& options) {
  if (options.sock != nullptr)
    throw ValueError("host/port and sock can not be specified at the same time");
  check_backlog(options.backlog);
  const ResolveOptions wanted{.family = options.family, .flags = options.flags};
  std::vector<Lookup> lookups;
  for (const std::string_view host : hosts) {
    const std::string name = host.empty() ? "None" : "'" + std::string(host) + "'";
    lookups.emplace_back(name, getaddrinfo(host, port, wanted));
  }
  return bind_all(std::move(factory), std::move(lookups), options);
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
