// Internal: used by listener, unix_connect and unix_server.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <weir/net/address.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/kernel.hpp>

namespace weir::detail {

/// The address of a unix socket, checked.
///
/// Errors    ValueError "path must not be empty", "embedded null byte". OSError "AF_UNIX path too
///           long".
Endpoint unix_endpoint(std::string_view path);

/// Removes the file at `path` if it is a socket that nobody has open: what a server that was killed
/// has left behind. Everything else stays, and bind() will say so. What goes wrong is logged.
///
/// Shape     Asks by connecting, which the server there sees as a client that comes and goes.
///           A server that is bound and does not listen yet looks like one that is dead.
/// Errors    OSError "[Errno 98] Address '/run/s' is already in use": somebody listens there.
void remove_stale_socket(EventLoop& loop, const Endpoint& path);

/// OSError "[Errno 98] Address '/run/s' is already in use".
[[noreturn]] void throw_path_in_use(const Endpoint& path);

/// The file that bind() has made for a unix socket.
///
/// Lifetime  Movable. Destroyed, it removes the file, if that was not done: no server will have it.
class SocketFile {
 public:
  /// None, so that there is nothing to remove.
  SocketFile() = default;
  /// Remembers the path. Of an abstract name: none.
  SocketFile(Kernel& kernel, const Endpoint& path);
  SocketFile(SocketFile&& other) noexcept { *this = std::move(other); }
  SocketFile& operator=(SocketFile&& other) noexcept;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  ~SocketFile() { remove(nullptr); }

  /// Remembers which file it is now, that it is bound. One that was not found is not ours, nor is
  /// one that cannot be looked at, which is logged: it will not be removed.
  void bound(EventLoop& loop);

  /// Removes the file if the path still leads to it. Once; a failure is logged, if there is a loop.
  /// Call it before the socket is closed: until then no other file can get its inode number.
  void remove(EventLoop* loop);

 private:
  Kernel* kernel_ = nullptr;
  std::string path_;  // Empty: none.
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace weir::detail
