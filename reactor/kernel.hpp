// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/executor.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/poller/poller.hpp>

struct addrinfo;  // <netdb.h>: known to net/ and to the kernels only
struct sockaddr;  // <sys/socket.h>: likewise
struct stat;      // <sys/stat.h>

namespace WEIR_API weir {

namespace detail {
class Tracer;
}  // namespace detail

/// What a system call said: a value, or an errno. EAGAIN is a result here, not an exception.
struct IoResult {
  std::ptrdiff_t value = 0;  // bytes, or a descriptor; 0 bytes from recv() is the end of the stream
  int error = 0;             // 0 or errno

  bool ok() const noexcept { return error == 0; }
  /// Nothing happened and nothing is wrong: ask the poller, then try again.
  bool would_block() const noexcept {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
  }
};

/// Everything that weir asks of the operating system, in one room: this class, and the pollers and
/// executors that it hands out, are the only code that calls it. Tests and simulations put another
/// kernel in its place.
///
/// Errors    Nothing here throws but the make_ functions (OSError). Functions that return int
///           return 0 or errno.
/// Threads   now(), pread(), getaddrinfo() and freeaddrinfo() from any thread; the rest from the
///           thread of the loop.
/// Lifetime  Must outlive every loop, transport and socket made with it.
/// Cost      One virtual call: 12 instructions, before at least 100 ns of system call.
class Kernel {
 public:
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  virtual ~Kernel() = default;

  /// The real one. Never destroyed.
  static Kernel& posix();

  /// CLOCK_MONOTONIC.
  virtual TimePoint now() = 0;

  // Sockets. All of them are non-blocking and close-on-exec from birth.
  virtual IoResult socket(int family, int type, int protocol) = 0;
  virtual int socketpair(int family, int type, int (&fds)[2]) = 0;
  virtual int bind(int fd, const sockaddr* address, std::uint32_t length) = 0;
  virtual int listen(int fd, int backlog) = 0;
  /// `length`: in, the room at `address`; out, the length of the peer's address.
  virtual IoResult accept(int fd, sockaddr* address, std::uint32_t* length) = 0;
  virtual int connect(int fd, const sockaddr* address, std::uint32_t length) = 0;
  /// EINVAL without a buffer: 0 would read as the end of the stream.
  virtual IoResult recv(int fd, std::span<const iovec> buffers) = 0;
  /// Never raises SIGPIPE. What is beyond max_iovecs buffers is not sent by this call.
  virtual IoResult send(int fd, std::span<const iovec> buffers) = 0;
  /// From a regular file, at `offset`, to a socket, without a way through our memory. 0 bytes is
  /// the end of the file. Never raises SIGPIPE, and never moves the file's own position. ENOSYS
  /// where there is no such call, EINVAL for a file that it cannot send.
  virtual IoResult sendfile(int socket, int file, std::int64_t offset, std::size_t bytes) = 0;
  /// pread(2): 0 bytes is the end of the file. May block; called from an Executor.
  virtual IoResult pread(int file, std::span<char> room, std::int64_t offset) = 0;
  virtual int shutdown(int fd, int how) = 0;
  /// Never retried: after EINTR the number may already belong to another thread's descriptor.
  virtual int close(int fd) = 0;
  /// For a descriptor that was made elsewhere; its other flags stay.
  virtual int set_nonblocking(int fd) = 0;
  virtual int getsockopt(int fd, int level, int option, void* value, std::uint32_t* length) = 0;
  virtual int setsockopt(int fd, int level, int option, const void* value,
                         std::uint32_t length) = 0;
  virtual int getsockname(int fd, sockaddr* address, std::uint32_t* length) = 0;
  virtual int getpeername(int fd, sockaddr* address, std::uint32_t* length) = 0;

  // Files: those that unix sockets leave in the file system. Symbolic links are followed by
  // stat(2), and removed by unlink(2).
  virtual int stat(const char* path, struct ::stat* status) = 0;
  virtual int unlink(const char* path) = 0;

  /// Blocks; called from an Executor. Returns 0 or an EAI_… number; with EAI_SYSTEM,
  /// `*system_error` is errno.
  virtual int getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                          addrinfo** result, int* system_error) = 0;
  virtual void freeaddrinfo(addrinfo* list) = 0;

  /// sigaction(2).
  virtual int signal_action(int signal_number, const struct sigaction* action,
                            struct sigaction* old) = 0;

  virtual std::unique_ptr<Poller> make_poller() = 0;
  virtual std::unique_ptr<Executor> make_executor(std::size_t max_threads) = 0;

  /// Who records what a loop does that is made with this kernel: null but for Trace::kernel().
  virtual detail::Tracer* tracer() noexcept { return nullptr; }

  /// IOV_MAX of every system that weir knows.
  static constexpr std::size_t max_iovecs = 1024;
};

}  // namespace weir
