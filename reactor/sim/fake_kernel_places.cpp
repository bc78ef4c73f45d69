// SPDX-License-Identifier: MIT
//
// Who is bound where: hosts and ports, abstract names, and paths, which are files besides.
#include <weir/reactor/sim/fake_kernel.hpp>

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ranges>

#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/fake_address.hpp>
#include <weir/reactor/sim/fake_socket.hpp>

namespace weir {
namespace {

using detail::FakeState;

}  // namespace

// --- The other end ---

int FakeKernel::dial(std::uint16_t port) {
  for (const int family : {AF_INET, AF_INET6}) {
    const int fd = dial_address(detail::with_port(detail::loopback_address(family), port));
    if (fd >= 0) return fd;
  }
  return -1;
}

int FakeKernel::dial_path(std::string_view path) {
  return dial_address(detail::unix_address(path));
}

int FakeKernel::dial_address(const std::string& address) {
  const SocketPtr client = make_socket(detail::family_of(address));
  client->remote = address;
  return establish(client) == 0 ? install(client) : -1;
}

int FakeKernel::listen_on(std::uint16_t port) {
  return listen_at(detail::with_port(detail::loopback_address(AF_INET), port), SOMAXCONN);
}

int FakeKernel::listen_on_path(std::string_view path, int backlog) {
  return listen_at(detail::unix_address(path), backlog);
}

int FakeKernel::listen_at(const std::string& address, int backlog) {
  const SocketPtr socket = make_socket(detail::family_of(address));
  if (const int error = bind_to(*socket, address)) throw_os_error(error);
  socket->state = FakeState::listening;
  socket->max_backlog = static_cast<std::size_t>(backlog);
  return install(socket);
}

int FakeKernel::accept_from(int listener) {
  return at(listener).backlog.empty() ? -1 : install(at(listener).next_connection());
}

void FakeKernel::add_file(const std::string& path, mode_t mode) {
  files_.erase(path);
  files_[path] = {mode, free_inode(), now_};
}

/// The lowest, as on ext4: a number is taken again as soon as no file and no socket has it.
std::uint64_t FakeKernel::free_inode() const {
  const auto taken = [this](std::uint64_t inode) {
    const auto has_it = [inode](const auto& entry) { return entry.second.inode == inode; };
    const auto holds_it = [inode](const auto& entry) { return entry.second->inode == inode; };
    return std::ranges::any_of(files_, has_it) || std::ranges::any_of(sockets_, holds_it);
  };
  std::uint64_t inode = 1;
  while (taken(inode)) ++inode;
  return inode;
}

bool FakeKernel::has_file(const std::string& path) const { return files_.contains(path); }

// --- Places ---

int FakeKernel::bind_to(Socket& socket, std::string address) {
  if (!socket.local.empty()) return EINVAL;
  if (detail::family_of(address) != socket.family) return EAFNOSUPPORT;
  if (const std::string path = detail::path_of(address); !path.empty()) {
    if (has_file(path)) return EADDRINUSE;  // Whatever it is, and whoever has left it there.
    add_file(path, S_IFSOCK);
    socket.inode = files_[path].inode;
    socket.local = address;
    return 0;
  }
  const auto taken = [&] {
    return std::any_of(sockets_.begin(), sockets_.end(),
                       [&](const auto& entry) { return entry.second->occupies(address); });
  };
  const bool any_port = detail::has_port(address) && detail::port_of(address) == 0;
  if (!any_port && taken()) return EADDRINUSE;
  if (any_port) {
    do address = detail::with_port(address, next_port_++);
    while (taken());
  }
  socket.local = address;
  return 0;
}

/// Who listens at `address`, or null and what connect(2) says to that.
FakeKernel::SocketPtr FakeKernel::listener_at(const std::string& address, int& error) const {
  const std::string path = detail::path_of(address);
  const auto file = files_.find(path);
  error = ECONNREFUSED;
  if (!path.empty() && file == files_.end()) error = ENOENT;
  for (const auto& [fd, socket] : sockets_) {
    if (!socket->listens_at(address)) continue;
    // The file leads to the socket, not its name: another one may have taken the path over.
    if (!path.empty() && (file == files_.end() || file->second.inode != socket->inode)) continue;
    // Linux lets one more wait than listen(2) was told.
    const bool full = socket->family == AF_UNIX && socket->backlog.size() > socket->max_backlog;
    error = full ? EAGAIN : 0;
    return full ? nullptr : socket;
  }
  return nullptr;
}

/// Connects `client` to the listener at client->remote, if there is one.
int FakeKernel::establish(const SocketPtr& client) {
  int error = 0;
  const SocketPtr listener = listener_at(client->remote, error);
  if (listener == nullptr) return error;
  const bool unbound = client->local.empty() && client->family != AF_UNIX;
  if (unbound) bind_to(*client, detail::loopback_address(client->family));
  const SocketPtr server = make_socket(client->family);
  server->local = client->remote;
  server->remote = client->local;
  Socket::join(client, server);
  listener->backlog.push_back(server);
  return 0;
}

// --- Files ---

int FakeKernel::stat(const char* path, struct ::stat* status) {
  if (const auto answer = scripted(Call::stat)) return answer->error;
  const auto found = files_.find(path);
  if (found == files_.end()) return ENOENT;
  *status = {};
  status->st_mode = found->second.mode;
  status->st_ino = found->second.inode;
  const Duration changed = found->second.changed.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(changed);
  status->st_ctim = {.tv_sec = seconds.count(), .tv_nsec = (changed - seconds).count()};
  return 0;
}

int FakeKernel::unlink(const char* path) {
  if (const auto answer = scripted(Call::unlink)) return answer->error;
  const auto found = files_.find(path);
  if (found == files_.end()) return ENOENT;
  if (S_ISDIR(found->second.mode)) return EISDIR;
  files_.erase(found);
  return 0;
}

}  // namespace weir
