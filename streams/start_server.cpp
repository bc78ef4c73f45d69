// SPDX-License-Identifier: MIT
#include <weir/streams/start_server.hpp>

#include <memory>

namespace weir {

ServerOptions detail::server_options(const StartServerOptions& options) {
  check_limit(options.limit);
  return {.family = options.family,
          .flags = options.flags,
          .sock = options.sock,
          .backlog = options.backlog,
          .reuse_address = options.reuse_address,
          .start_serving = options.start_serving,
          .reuse_port = options.reuse_port,
          .keep_alive = options.keep_alive};
}

detail::ProtocolFactory detail::protocol_for(ClientConnected client_connected,
                                             std::ptrdiff_t limit) {
  return [client_connected = std::move(client_connected), limit] {
    return std::make_shared<StreamReaderProtocol>(StreamReader(limit), client_connected);
  };
}

Coro<Server> start_server(ClientConnected client_connected, const Hosts& hosts, Port port,
                          const StartServerOptions& options) {
  const ServerOptions its = detail::server_options(options);
  return create_server(detail::protocol_for(std::move(client_connected), options.limit), hosts,
                       port, its);
}

Coro<Server> start_server(ClientConnected client_connected, const StartServerOptions& options) {
  const ServerOptions its = detail::server_options(options);
  return create_server(detail::protocol_for(std::move(client_connected), options.limit), its);
}

}  // namespace weir
