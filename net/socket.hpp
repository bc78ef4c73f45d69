// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <weir/net/address.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/unique_fd.hpp>

namespace WEIR_API weir {

/// A non-blocking socket over a Kernel: one method a system call, and what it said as an IoResult
/// or an errno.
///
/// Threads   The loop's thread.
/// Lifetime  Owns its descriptor. The kernel outlives it.
class Socket {
 public:
  Socket() = default;
  /// Takes over a descriptor, and makes it non-blocking. Its kind is asked of the kernel, and 0 if
  /// it is no socket; its protocol is 0 unless said, as CPython has it: TCP_NODELAY is set on
  /// sockets of protocol IPPROTO_TCP only.
  Socket(Kernel& kernel, int fd, int protocol = 0);

  /// A new socket. `error` is set to 0 or errno.
  static Socket open(Kernel& kernel, int family, int type, int protocol, int& error);

  bool valid() const noexcept { return static_cast<bool>(fd_); }
  int fd() const noexcept { return fd_.get(); }
  int family() const noexcept { return family_; }
  int type() const noexcept { return type_; }
  int protocol() const noexcept { return protocol_; }

  int bind(const Endpoint& address);
  int listen(int backlog) { return kernel().listen(fd(), backlog); }
  int connect(const Endpoint& address);
  /// The accepted socket, or an invalid one and errno.
  Socket accept(Endpoint& peer, int& error);
  IoResult recv(std::span<char> room) {
    const iovec buffer{room.data(), room.size()};
    return kernel().recv(fd(), std::span(&buffer, 1));
  }
  IoResult send(std::span<const iovec> pieces) { return kernel().send(fd(), pieces); }
  int shutdown(int how) { return kernel().shutdown(fd(), how); }
  int set_option(int level, int option, int value);
  /// The value, or errno.
  IoResult get_option(int level, int option);
  /// Of no family when the kernel gives none.
  Endpoint local_endpoint();
  Endpoint remote_endpoint();
  void close() noexcept { fd_.reset(); }
  /// It goes to a loop whose kernel looks at the same descriptors, and may be traced by itself.
  void set_kernel(Kernel& kernel) noexcept { fd_.set_kernel(kernel); }

  /// <Socket fd=5, family=2, type=1, proto=6>
  std::string repr() const;

 private:
  Kernel& kernel() noexcept { return fd_.kernel(); }

  // 16 bytes in all, for every connection has one: the rest stands in the last four of fd_'s.
  [[no_unique_address]] UniqueFd fd_;
  std::uint8_t family_ = AF_UNSPEC;
  std::uint8_t type_ = 0;
  std::uint16_t protocol_ = 0;
};

}  // namespace weir
