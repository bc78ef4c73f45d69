// SPDX-License-Identifier: MIT
#include <weir/streams/start_unix_server.hpp>

#include <utility>

#include <weir/streams/start_server.hpp>

namespace weir {

UnixServerOptions detail::server_options(const StartUnixServerOptions& options) {
  check_limit(options.limit);
  return {.sock = options.sock,
          .backlog = options.backlog,
          .start_serving = options.start_serving,
          .cleanup_socket = options.cleanup_socket};
}

Coro<Server> start_unix_server(ClientConnected client_connected, std::string_view path,
                               const StartUnixServerOptions& options) {
  const UnixServerOptions its = detail::server_options(options);
  return create_unix_server(detail::protocol_for(std::move(client_connected), options.limit), path,
                            its);
}

Coro<Server> start_unix_server(ClientConnected client_connected,
                               const StartUnixServerOptions& options) {
  const UnixServerOptions its = detail::server_options(options);
  return create_unix_server(detail::protocol_for(std::move(client_connected), options.limit), its);
}

}  // namespace weir
