// SPDX-License-Identifier: MIT
#include <weir/net/unix_connect.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include <weir/net/unix_path.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/sleep.hpp>

namespace weir::detail {
namespace {

// A full backlog empties as fast as the server accepts: soon, or when it has found its breath.
constexpr Duration first_retry_delay = std::chrono::milliseconds(1);
constexpr Duration last_retry_delay = std::chrono::milliseconds(100);

/// Facts: connect(2) to a unix socket is done, or has failed, when it returns. EAGAIN says that the
/// backlog is full; nothing is in progress then, and nothing can be polled for: poll(2) calls the
/// socket writable and hung up, and SO_ERROR is 0. unix(7).
Coro<Socket> connect_to_path(Endpoint path) {
  int error = 0;
  Socket socket = Socket::open(get_running_loop().kernel(), AF_UNIX, SOCK_STREAM, 0, error);
  if (error != 0) throw_os_error(error);
  Duration delay = first_retry_delay;
  for (error = socket.connect(path); error == EAGAIN; error = socket.connect(path)) {
    co_await sleep(delay);
    delay = std::min(2 * delay, last_retry_delay);
  }
  if (error != 0) throw_os_error(error);
  co_return socket;
}

Coro<Socket> already_connected_unix(Socket socket) { co_return socket; }

}  // namespace

Coro<Socket> connect_unix_socket(std::string_view path, const UnixConnectOptions& options) {
  if (options.sock != nullptr)
    throw ValueError("path and sock can not be specified at the same time");
  return connect_to_path(unix_endpoint(path));
}

Coro<Socket> given_unix_socket(const UnixConnectOptions& options) {
  if (options.sock == nullptr) throw ValueError("no path and sock were specified");
  return already_connected_unix(take_given_unix_socket(*options.sock));
}

Socket take_given_unix_socket(Socket& given) {
  if (given.family() != AF_UNIX || given.type() != SOCK_STREAM)
    throw ValueError("A UNIX Domain Stream Socket was expected, got " + given.repr());
  return std::move(given);
}

}  // namespace weir::detail
