// SPDX-License-Identifier: MIT
#include <weir/net/unix_server.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include <weir/net/server_state.hpp>
#include <weir/net/unix_connect.hpp>
#include <weir/net/unix_path.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>

namespace weir::detail {
namespace {

Coro<Server> serve_over(ProtocolFactory factory, Socket socket, SocketFile file,
                        const UnixServerOptions& options) {
  const auto state =
      std::make_shared<ServerState>(get_running_loop(), std::move(factory), options.backlog);
  state->add(std::move(socket), std::move(file));
  return finish_server(state, options.start_serving);
}

/// A coroutine, so that nothing is bound before somebody awaits.
Coro<Server> bind_path(ProtocolFactory factory, Endpoint path, UnixServerOptions options) {
  EventLoop& loop = get_running_loop();
  remove_stale_socket(loop, path);
  int error = 0;
  Socket socket = Socket::open(loop.kernel(), AF_UNIX, SOCK_STREAM, 0, error);
  if (error != 0) throw_os_error(error);
  SocketFile file;  // Before the file is there: it must not stay for want of memory.
  if (options.cleanup_socket.value_or(true)) file = SocketFile(loop.kernel(), path);
  error = socket.bind(path);
  if (error == EADDRINUSE) throw_path_in_use(path);
  if (error != 0) throw_os_error(error);
  file.bound(loop);
  co_return co_await serve_over(std::move(factory), std::move(socket), std::move(file), options);
}

}  // namespace

Coro<Server> create_unix_server(ProtocolFactory factory, std::string_view path,
                                const UnixServerOptions& options) {
  if (options.sock != nullptr)
    throw ValueError("path and sock can not be specified at the same time");
  check_backlog(options.backlog);
  return bind_path(std::move(factory), unix_endpoint(path), options);
}

Coro<Server> create_unix_server(ProtocolFactory factory, const UnixServerOptions& options) {
  if (options.sock == nullptr) throw ValueError("path was not specified, and no sock specified");
  check_backlog(options.backlog);
  Socket socket = take_given_unix_socket(*options.sock);
  SocketFile file;
  if (options.cleanup_socket.value_or(false))
    file = SocketFile(get_running_loop().kernel(), socket.local_endpoint());
  file.bound(get_running_loop());
  return serve_over(std::move(factory), std::move(socket), std::move(file), options);
}

}  // namespace weir::detail
