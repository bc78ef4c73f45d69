// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/sim_kernel.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <weir/reactor/bytes.hpp>
#include <weir/reactor/sim/fake_address.hpp>
#include <weir/reactor/sim/sim_network.hpp>
#include <weir/reactor/sim/sim_socket.hpp>

// Connecting, accepting, and what moves bytes.

namespace weir {
namespace {

using detail::SimState;

constexpr Duration longest_connect = std::chrono::minutes(1);
constexpr Duration first_syn_retry = std::chrono::seconds(1);  // tcp(7): doubled each time,
constexpr int most_syn_retries = 6;                            // tcp_syn_retries of Linux.
constexpr std::uint32_t longest_storm = 4;

std::string gathered_bytes(std::span<const iovec> buffers, std::size_t bytes) {
  std::string all;
  for (const iovec& buffer : buffers) {
    const std::size_t part = std::min(buffer.iov_len, bytes - all.size());
    all.append(static_cast<const char*>(buffer.iov_base), part);
  }
  return all;
}

}  // namespace

// ---- Connecting

int SimKernel::connect(int fd, const sockaddr* address, std::uint32_t length) {
  const SocketPtr socket = enter(Call::connect, fd);
  if (socket == nullptr) return said(Call::connect, fd, EBADF);
  if (socket->state == SimState::connecting) return said(Call::connect, fd, EALREADY);
  if (socket->state != SimState::fresh) return said(Call::connect, fd, EISCONN);
  const std::optional<std::string> wanted = detail::clean_address(address, length);
  if (!wanted) return said(Call::connect, fd, EINVAL);
  if (detail::family_of(*wanted) != socket->family) return said(Call::connect, fd, EAFNOSUPPORT);
  socket->remote = *wanted;
  return said(Call::connect, fd,
              socket->family == AF_UNIX ? connect_path(socket) : start_connect(socket));
}

/// unix(7): done, or failed, when it returns.
int SimKernel::connect_path(const SocketPtr& client) {
  int error = 0;
  const SocketPtr listener = listener_at(client->remote, error);
  // Linux lets one more wait than listen(2) was told.
  if (error == 0 && listener->backlog.size() > listener->max_backlog) error = EAGAIN;
  if (error == 0) establish(client, listener);
  return error;
}

int SimKernel::start_connect(const SocketPtr& client) {
  if (client->local.empty()) bind_to(*client, detail::loopback_address(client->family));
  if (network_->strikes(SimFault::fail_connect)) {
    const int error = network_->random.one_of({ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH});
    if (error == ENETUNREACH) return error;  // The machine knows its routes.
    client->connect_error = error;
  }
  Duration delay{};
  if (network_->strikes(SimFault::slow_connect)) delay = network_->random.up_to(longest_connect);
  client->state = SimState::connecting;
  network_->connect_after(client, delay);
  // Interrupted, it goes on by itself: connect(2).
  return network_->strikes(SimFault::interrupted) ? EINTR : EINPROGRESS;
}

/// The other machine has answered, or never will.
void SimKernel::answer_connect(const SocketPtr& client) {
  if (client->closed) return;
  int error = client->connect_error;
  SocketPtr listener = error == 0 ? listener_at(client->remote, error) : nullptr;
  if (error == 0 && listener->backlog.size() > listener->max_backlog) {
    // Linux drops the request silently, and the client asks again.
    if (client->connect_tries < most_syn_retries)
      return network_->connect_after(client, first_syn_retry * (1 << client->connect_tries++));
    error = ETIMEDOUT;
  }
  client->state = SimState::fresh;
  client->error = error;
  if (error == 0) return establish(client, listener);
  network_->trace.event(network_->now, SimTrace::Event::refused, 0, error);
}

/// Who listens at `address`, or null and what connect(2) says to that.
SimKernel::SocketPtr SimKernel::listener_at(const std::string& address, int& error) const {
  const std::string path = detail::path_of(address);
  const auto file = files_.find(path);
  error = 0;
  for (const SocketPtr& socket : sockets_) {
    if (socket == nullptr || !socket->listens_at(address)) continue;
    // The file leads to the socket, not its name: another one may have taken the path over.
    if (path.empty() || (file != files_.end() && file->second.inode == socket->inode))
      return socket;
  }
  error = !path.empty() && file == files_.end() ? ENOENT : ECONNREFUSED;
  return nullptr;
}

void SimKernel::establish(const SocketPtr& client, const SocketPtr& listener) {
  const SocketPtr server = make_socket(client->family);
  server->local = client->remote;
  server->remote = client->local;
  network_->join(client, server);
  listener->backlog.push_back(server);
  network_->trace.event(network_->now, SimTrace::Event::connected, client->id, 0);
}

// ---- Accepting

IoResult SimKernel::accept(int fd, sockaddr* address, std::uint32_t* length) {
  const SocketPtr socket = enter(Call::accept, fd);
  if (socket == nullptr) return said(Call::accept, fd, IoResult{0, EBADF});
  if (socket->state != SimState::listening) return said(Call::accept, fd, IoResult{0, EINVAL});
  if (const int error = disturbed(*socket)) return said(Call::accept, fd, IoResult{0, error});
  if (no_fds()) return said(Call::accept, fd, IoResult{0, EMFILE});
  if (socket->backlog.empty()) return said(Call::accept, fd, IoResult{0, EAGAIN});
  int error = network_->strikes(SimFault::abort_accept) ? ECONNABORTED : 0;
  if (error == 0 && network_->strikes(SimFault::accept_error))
    error = network_->random.one_of({ENETDOWN, EPROTO, ENOBUFS, ENOMEM});
  if (error == ENOBUFS || error == ENOMEM) return said(Call::accept, fd, IoResult{0, error});
  const SocketPtr next = std::move(socket->backlog.front());
  socket->backlog.pop_front();
  if (error != 0) {
    next->closed = true;
    network_->send_reset(next);
    return said(Call::accept, fd, IoResult{0, error});
  }
  detail::give_bytes(next->remote_name(), address, length);
  return said(Call::accept, fd, IoResult{install(next), 0});
}

// ---- Bytes

/// EAGAIN or EINTR for no reason that the program could see, or 0.
int SimKernel::disturbed(Socket& socket) {
  if (network_->strikes(SimFault::again)) {
    socket.storm = 1 + static_cast<int>(network_->random.below(longest_storm));
  }
  if (socket.storm > 0 && network_->options.rate(SimFault::again) != 0) {
    --socket.storm;
    return EAGAIN;
  }
  return network_->strikes(SimFault::interrupted) ? EINTR : 0;
}

/// For those who want to know what the program was told.
void SimKernel::take_note(Socket& socket, bool sending, const IoResult& result) {
  SimStream* stream = network_->stream_of(socket);
  if (stream == nullptr || result.would_block()) return;
  if (!result.ok()) {
    if (stream->error_told == 0) stream->error_told = result.error;
  } else if (result.value == 0 && !sending) {
    stream->end_told = stream->end_told || socket.end_arrived;
  } else {
    (sending ? stream->sent : stream->received) += static_cast<std::uint64_t>(result.value);
  }
}

IoResult SimKernel::recv(int fd, std::span<const iovec> buffers) {
  const SocketPtr socket = enter(Call::recv, fd);
  if (socket == nullptr) return said(Call::recv, fd, IoResult{0, EBADF});
  if (detail::total_bytes(buffers) == 0) return said(Call::recv, fd, IoResult{0, EINVAL});
  const IoResult result = receive(socket, buffers);
  take_note(*socket, false, result);
  return said(Call::recv, fd, result);
}

IoResult SimKernel::receive(const SocketPtr& socket, std::span<const iovec> buffers) {
  if (socket->state == SimState::connected && !socket->dead) {
    if (const int error = disturbed(*socket)) return {0, error};
    if (network_->strikes(SimFault::no_memory))
      return {0, network_->random.one_of({ENOBUFS, ENOMEM})};
    if (network_->strikes(SimFault::reset)) network_->cut(socket);
  }
  std::size_t limit = std::min(detail::total_bytes(buffers), socket->unread());
  if (limit > 1 && network_->strikes(SimFault::short_recv))
    limit = network_->random.between(1, limit - 1);
  return socket->recv(buffers, limit);
}

IoResult SimKernel::send(int fd, std::span<const iovec> buffers) {
  const SocketPtr socket = enter(Call::send, fd);
  if (socket == nullptr) return said(Call::send, fd, IoResult{0, EBADF});
  if (socket->shut && !socket->dead) note_misuse("send", fd, "has been shut down");
  const IoResult result = transmit(socket, buffers.first(std::min(buffers.size(), max_iovecs)));
  take_note(*socket, true, result);
  return said(Call::send, fd, result);
}

IoResult SimKernel::transmit(const SocketPtr& socket, std::span<const iovec> buffers) {
  const bool alive = socket->state == SimState::connected && !socket->dead;
  if (alive && network_->strikes(SimFault::reset)) network_->cut(socket);
  if (const int error = socket->refusal()) return {0, error};
  if (const int error = disturbed(*socket)) return {0, error};
  if (network_->strikes(SimFault::no_memory))
    return {0, network_->random.one_of({ENOBUFS, ENOMEM})};
  const std::size_t total = detail::total_bytes(buffers);
  std::size_t bytes = std::min(total, socket->room());
  if (bytes == 0) return {0, total != 0 ? EAGAIN : 0};
  if (bytes > 1 && network_->strikes(SimFault::short_send))
    bytes = network_->random.between(1, bytes - 1);
  network_->send_bytes(socket, gathered_bytes(buffers, bytes));
  return {static_cast<std::ptrdiff_t>(bytes), 0};
}

IoResult SimKernel::sendfile(int socket, int file, std::int64_t offset, std::size_t bytes) {
  const SocketPtr to = enter(Call::sendfile, socket);
  const SocketPtr from = find(file);
  if (to == nullptr || from == nullptr) return said(Call::sendfile, socket, IoResult{0, EBADF});
  if (!from->file || offset < 0) return said(Call::sendfile, socket, IoResult{0, EINVAL});
  const auto at = std::min(static_cast<std::size_t>(offset), from->file->size());
  const std::string piece = from->file->substr(at, bytes);
  IoResult result;
  if (!piece.empty()) {
    const iovec buffer{const_cast<char*>(piece.data()), piece.size()};
    result = transmit(to, std::span(&buffer, 1));
    take_note(*to, true, result);
  }
  return said(Call::sendfile, socket, result);
}

IoResult SimKernel::pread(int file, std::span<char> room, std::int64_t offset) {
  const SocketPtr from = enter(Call::pread, file);
  if (from == nullptr) return said(Call::pread, file, IoResult{0, EBADF});
  if (!from->file) return said(Call::pread, file, IoResult{0, ESPIPE});
  if (offset < 0) return said(Call::pread, file, IoResult{0, EINVAL});
  const auto at = std::min(static_cast<std::size_t>(offset), from->file->size());
  const std::size_t bytes = from->file->copy(room.data(), room.size(), at);
  return said(Call::pread, file, IoResult{static_cast<std::ptrdiff_t>(bytes), 0});
}

int SimKernel::shutdown(int fd, int how) {
  const SocketPtr socket = enter(Call::shutdown, fd);
  if (socket == nullptr) return said(Call::shutdown, fd, EBADF);
  if (socket->state != SimState::connected || socket->dead)
    return said(Call::shutdown, fd, ENOTCONN);
  if (how != SHUT_RD && !socket->shut) {
    socket->shut = true;
    network_->send_end(socket);
  }
  if (how != SHUT_WR) socket->end_arrived = true;
  return said(Call::shutdown, fd, 0);
}

}  // namespace weir
