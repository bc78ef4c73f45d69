// SPDX-License-Identifier: MIT
#include <weir/net/connect.hpp>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string>
#include <vector>

#include <weir/net/socket_transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/outcome.hpp>

namespace weir::detail {
namespace {

/// Stops watching the socket however the wait ends.
struct WriterGuard {
  WriterGuard(EventLoop& its_loop, int its_fd) : loop(its_loop), fd(its_fd) {}
  WriterGuard(const WriterGuard&) = delete;
  WriterGuard& operator=(const WriterGuard&) = delete;
  ~WriterGuard() { loop.remove_writer(fd); }
  EventLoop& loop;
  int fd;
};

/// 0 or errno of the whole attempt.
Coro<int> finish_connect(Socket* socket, int first_error) {
  if (first_error != EINPROGRESS && first_error != EINTR) co_return first_error;
  EventLoop& loop = get_running_loop();
  const Future<> writable = loop.create_future<void>();
  loop.add_writer(socket->fd(), [writable] {
    if (!writable.done()) writable.set_result();
  });
  {
    const WriterGuard guard(loop, socket->fd());
    co_await writable;
  }
  const IoResult said = socket->get_option(SOL_SOCKET, SO_ERROR);
  co_return said.ok() ? static_cast<int>(said.value) : said.error;
}

Coro<Socket> connect_to(AddressInfo info) {
  int error = 0;
  Socket socket =
      Socket::open(get_running_loop().kernel(), info.family, info.type, info.protocol, error);
  if (error != 0) throw_os_error(error);
  error = co_await finish_connect(&socket, socket.connect(info.endpoint));
  if (error != 0) throw_os_error(error, "Connect call failed " + info.endpoint.repr());
  co_return socket;
}

/// One error: itself. All with one text: the first. Else a text that has them all.
[[noreturn]] void throw_all(const std::vector<std::exception_ptr>& errors) {
  const std::string first = message_of(errors.front());
  const bool same = std::all_of(errors.begin(), errors.end(), [&](const std::exception_ptr& error) {
    return message_of(error) == first;
  });
  if (same) std::rethrow_exception(errors.front());
  std::string text = "Multiple exceptions: " + first;
  for (std::size_t i = 1; i < errors.size(); ++i) text += ", " + message_of(errors[i]);
  throw OSError(text);
}

Coro<Socket> connect_to_any(Coro<std::vector<AddressInfo>> resolving) {
  const std::vector<AddressInfo> addresses = co_await std::move(resolving);
  if (addresses.empty()) throw OSError("getaddrinfo() returned empty list");
  std::vector<std::exception_ptr> errors;
  for (const AddressInfo& info : addresses) {
    try {
      co_return co_await connect_to(info);
    } catch (const OSError&) {
      errors.push_back(std::current_exception());
    }
  }
  throw_all(errors);
}

Coro<Socket> already_connected(Socket socket) { co_return socket; }

}  // namespace

void check_connect_arguments(bool has_address, const ConnectOptions& options) {
  if (has_address && options.sock != nullptr) {
    throw ValueError("host/port and sock can not be specified at the same time");
  }
  if (!has_address && options.sock == nullptr) {
    throw ValueError("host and port was not specified and no sock specified");
  }
}

Socket take_given_socket(Socket& given) {
  if (given.type() != SOCK_STREAM)
    throw ValueError("A Stream Socket was expected, got " + given.repr());
  return std::move(given);
}

Coro<Socket> connect_socket(std::string_view host, Port port, const ConnectOptions& options) {
  const ResolveOptions wanted{
      .family = options.family, .protocol = options.protocol, .flags = options.flags};
  return connect_to_any(getaddrinfo(host, port, wanted));
}

Coro<Socket> given_socket(const ConnectOptions& options) {
  return already_connected(take_given_socket(*options.sock));
}

Coro<Connection<>> make_transport(Socket socket, std::shared_ptr<BaseProtocol> protocol) {
  EventLoop& loop = get_running_loop();
  const Future<> connected = loop.create_future<void>();
  std::shared_ptr<Transport> transport =
      SocketTransport::start(loop, std::move(socket), protocol, Endpoint(), nullptr, [connected] {
        if (!connected.done()) connected.set_result();
      });
  try {
    co_await connected;
  } catch (...) {
    transport->close();
    throw;
  }
  co_return Connection<>(std::move(transport), std::move(protocol));
}

}  // namespace weir::detail
