// SPDX-License-Identifier: MIT
#include <weir/reactor/kernel.hpp>

#include <netdb.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <type_traits>

#ifdef __linux__
#include <sys/sendfile.h>
#endif

namespace weir {
namespace {

static_assert(std::is_same_v<socklen_t, std::uint32_t>, "kernel.hpp spells socklen_t this way");

// Close-on-exec and non-blocking from birth: between socket() and a later fcntl() another thread
// could fork and hand the descriptor to a child.
constexpr int birth_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

int error_of(int returned) { return returned < 0 ? errno : 0; }

IoResult result_of(std::ptrdiff_t returned) {
  return returned < 0 ? IoResult{0, errno} : IoResult{returned, 0};
}

msghdr message_header(std::span<const iovec> buffers) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(buffers.data());  // recvmsg and sendmsg only read the array.
  // More than IOV_MAX is EMSGSIZE; fewer is a short count, which every caller expects anyway.
  message.msg_iovlen = std::min(buffers.size(), Kernel::max_iovecs);
  return message;
}

// Apart, so that one buffer, the common case, needs no room for a header.
[[gnu::noinline]] IoResult receive_scattered(int fd, std::span<const iovec> buffers) {
  // No buffer at all would return 0, which reads as the end of the stream.
  if (buffers.empty()) return {0, EINVAL};
  msghdr message = message_header(buffers);
  return result_of(::recvmsg(fd, &message, 0));
}

[[gnu::noinline]] IoResult send_gathered(int fd, std::span<const iovec> buffers) {
  const msghdr message = message_header(buffers);
  return result_of(::sendmsg(fd, &message, MSG_NOSIGNAL));
}

#ifdef __linux__
bool is_pending(int signal_number) {
  sigset_t pending;
  return ::sigpending(&pending) == 0 && sigismember(&pending, signal_number) == 1;
}

/// sendfile(2) has no MSG_NOSIGNAL. A SIGPIPE of its own is held back on this thread, and taken
/// away before it can strike; one that the caller has kept pending stays.
IoResult sendfile_without_signal(int socket, int file, off_t offset, std::size_t bytes) {
  sigset_t pipe;
  sigset_t before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &pipe, &before)) return {0, error};
  const bool was_pending = sigismember(&before, SIGPIPE) == 1 && is_pending(SIGPIPE);
  const IoResult result = result_of(::sendfile(socket, file, &offset, bytes));
  // It comes with EPIPE, and with a short count: TCP may break when a part is on its way.
  if (static_cast<std::size_t>(result.value) < bytes && !was_pending) {
    const timespec at_once{};
    ::sigtimedwait(&pipe, nullptr, &at_once);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}
#else
IoResult sendfile_without_signal(int, int, off_t, std::size_t) { return {0, ENOSYS}; }
#endif

class PosixKernel final : public Kernel {
 public:
  TimePoint now() override { return std::chrono::steady_clock::now(); }

  IoResult socket(int family, int type, int protocol) override {
    return result_of(::socket(family, type | birth_flags, protocol));
  }

  int socketpair(int family, int type, int (&fds)[2]) override {
    return error_of(::socketpair(family, type | birth_flags, 0, fds));
  }

  int bind(int fd, const sockaddr* address, std::uint32_t length) override {
    return error_of(::bind(fd, address, length));
  }

  int listen(int fd, int backlog) override { return error_of(::listen(fd, backlog)); }

  IoResult accept(int fd, sockaddr* address, std::uint32_t* length) override {
    return result_of(::accept4(fd, address, length, birth_flags));
  }

  int connect(int fd, const sockaddr* address, std::uint32_t length) override {
    return error_of(::connect(fd, address, length));
  }

  // One buffer is the common case, and the cheaper call: no msghdr and no iovec for the kernel to
  // copy in.
  IoResult recv(int fd, std::span<const iovec> buffers) override {
    if (buffers.size() != 1) return receive_scattered(fd, buffers);
    return result_of(::recv(fd, buffers[0].iov_base, buffers[0].iov_len, 0));
  }

  IoResult send(int fd, std::span<const iovec> buffers) override {
    if (buffers.size() != 1) return send_gathered(fd, buffers);
    return result_of(::send(fd, buffers[0].iov_base, buffers[0].iov_len, MSG_NOSIGNAL));
  }

  IoResult sendfile(int socket, int file, std::int64_t offset, std::size_t bytes) override {
    return sendfile_without_signal(socket, file, offset, bytes);
  }

  IoResult pread(int file, std::span<char> room, std::int64_t offset) override {
    return result_of(::pread(file, room.data(), room.size(), offset));
  }

  int shutdown(int fd, int how) override { return error_of(::shutdown(fd, how)); }

  // Linux frees the number before it can say EINTR: a second close() may hit somebody else's.
  int close(int fd) override { return error_of(::close(fd)); }

  int set_nonblocking(int fd) override {
    int on = 1;
    return error_of(::ioctl(fd, FIONBIO, &on));  // One call; fcntl() would need two.
  }

  int getsockopt(int fd, int level, int option, void* value, std::uint32_t* length) override {
    return error_of(::getsockopt(fd, level, option, value, length));
  }

  int setsockopt(int fd, int level, int option, const void* value, std::uint32_t length) override {
    return error_of(::setsockopt(fd, level, option, value, length));
  }

  int getsockname(int fd, sockaddr* address, std::uint32_t* length) override {
    return error_of(::getsockname(fd, address, length));
  }

  int getpeername(int fd, sockaddr* address, std::uint32_t* length) override {
    return error_of(::getpeername(fd, address, length));
  }

  int stat(const char* path, struct ::stat* status) override {
    return error_of(::stat(path, status));
  }

  int unlink(const char* path) override { return error_of(::unlink(path)); }

  int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** result,
                  int* system_error) override {
    const int code = ::getaddrinfo(host, service, hints, result);
    *system_error = code == EAI_SYSTEM ? errno : 0;
    return code;
  }

  void freeaddrinfo(addrinfo* list) override { ::freeaddrinfo(list); }

  int signal_action(int signal_number, const struct sigaction* action,
                    struct sigaction* old) override {
    return error_of(::sigaction(signal_number, action, old));
  }

  std::unique_ptr<Poller> make_poller() override { return make_default_poller(); }

  std::unique_ptr<Executor> make_executor(std::size_t max_threads) override {
    return make_thread_pool(max_threads);
  }
};

}  // namespace

// Never destroyed: a descriptor that a static object owns may be closed after main() has returned.
Kernel& Kernel::posix() {
  static PosixKernel* const kernel = new PosixKernel;
  return *kernel;
}

}  // namespace weir
