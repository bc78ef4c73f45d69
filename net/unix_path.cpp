// SPDX-License-Identifier: MIT
#include <weir/net/unix_path.hpp>

#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <utility>

#include <weir/net/socket.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/report.hpp>

namespace weir::detail {
namespace {

bool is_abstract(std::string_view path) { return path.starts_with('\0'); }

/// As Python's repr(): PermissionError(13, 'Permission denied').
std::string repr_of_error(int error) {
  const std::string told =
      describe(make_os_error(error));  // PermissionError: [Errno 13] Permission…
  const std::string type = told.substr(0, told.find(':'));
  const std::string text = told.substr(told.find("] ") + 2);
  return type + "(" + std::to_string(error) + ", '" + text + "')";
}

void log_stale_failure(EventLoop& loop, const Endpoint& path, int error) {
  loop.log_text(LogLevel::error, "Unable to check or remove stale UNIX socket", [&] {
    return "Unable to check or remove stale UNIX socket " + path.repr() + ": " +
           repr_of_error(error);
  });
}

void log_cleanup_failure(EventLoop& loop, const std::string& path, int error) {
  loop.log_text(LogLevel::error, "Unable to clean up listening UNIX socket", [&] {
    return "Unable to clean up listening UNIX socket " + Endpoint::at_path(path).repr() + ": " +
           repr_of_error(error);
  });
}

enum class Owner { none, somebody, unknown };

/// Whether somebody has the socket at `path` open. Only "nobody" lets its file be removed.
Owner owner_of(EventLoop& loop, const Endpoint& path, int& error) {
  Socket probe = Socket::open(loop.kernel(), AF_UNIX, SOCK_STREAM, 0, error);
  if (error != 0) return Owner::unknown;
  error = probe.connect(path);
  switch (error) {
    case ECONNREFUSED: return Owner::none;
    case 0:
    case EAGAIN:  // Its backlog is full.
    case EINPROGRESS:
    case EPROTOTYPE: return Owner::somebody;  // The last: it is a datagram socket.
    default: return Owner::unknown;
  }
}

/// The time, too: nobody has this file open, and a new one may get the number of one that is gone.
bool same_file(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino &&
         one.st_ctim.tv_sec == other.st_ctim.tv_sec && one.st_ctim.tv_nsec == other.st_ctim.tv_nsec;
}

}  // namespace

Endpoint unix_endpoint(std::string_view path) {
  if (path.empty()) throw ValueError("path must not be empty");
  if (!is_abstract(path) && path.find('\0') != std::string_view::npos)
    throw ValueError("embedded null byte");
  Endpoint endpoint = Endpoint::at_path(path);
  sockaddr_storage room{};
  if (endpoint.copy_to(room) == 0) throw OSError("AF_UNIX path too long");
  return endpoint;
}

void throw_path_in_use(const Endpoint& path) {
  throw_os_error(EADDRINUSE, "Address " + path.repr() + " is already in use");
}

void remove_stale_socket(EventLoop& loop, const Endpoint& path) {
  const std::string name = path.host();
  if (is_abstract(name)) return;  // The system removes these.
  Kernel& kernel = loop.kernel();
  struct stat found{};
  int error = kernel.stat(name.c_str(), &found);
  if (error == ENOENT || (error == 0 && !S_ISSOCK(found.st_mode))) return;
  if (error != 0) return log_stale_failure(loop, path, error);
  const Owner owner = owner_of(loop, path, error);
  if (owner == Owner::somebody) throw_path_in_use(path);
  if (owner == Owner::unknown && error == ENOENT) return;
  if (owner == Owner::unknown) return log_stale_failure(loop, path, error);
  // Another server may have found the same dead socket, and be listening there by now.
  struct stat now{};
  error = kernel.stat(name.c_str(), &now);
  if (error == 0 && !same_file(found, now)) return;
  if (error == 0) error = kernel.unlink(name.c_str());
  if (error != 0 && error != ENOENT) log_stale_failure(loop, path, error);
}

SocketFile::SocketFile(Kernel& kernel, const Endpoint& path) : kernel_(&kernel) {
  if (path.family() == AF_UNIX && !is_abstract(path.host())) path_ = path.host();
}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  if (this == &other) return *this;
  remove(nullptr);
  kernel_ = other.kernel_;
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = std::exchange(other.inode_, 0);
  return *this;
}

void SocketFile::bound(EventLoop& loop) {
  if (path_.empty()) return;
  struct stat status{};
  const int error = kernel_->stat(path_.c_str(), &status);
  if (error != 0 && error != ENOENT) log_cleanup_failure(loop, path_, error);
  if (error != 0) return;
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

void SocketFile::remove(EventLoop* loop) {
  const std::string path = std::exchange(path_, {});
  if (path.empty() || inode_ == 0) return;
  struct stat status{};
  int error = kernel_->stat(path.c_str(), &status);
  const bool ours = error == 0 && status.st_dev == device_ && status.st_ino == inode_;
  if (ours) error = kernel_->unlink(path.c_str());
  if (error == 0 || error == ENOENT || loop == nullptr) return;
  log_cleanup_failure(*loop, path, error);
}

}  // namespace weir::detail
