// SPDX-License-Identifier: MIT
#include <bench/readuntil/flood.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace weir::bench {
namespace {

constexpr std::size_t piece_bytes = 64 * 1024;
// What lies in the kernel when the clock starts was not sent in its time: little of a pass.
constexpr int kernel_buffer_bytes = 1024 * 1024;

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("flood: ") + what + " failed");
}

void pin_to(unsigned processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  sched_setaffinity(0, sizeof set, &set);  // With one processor only, it stays where it is.
}

void bound_buffers(int fd) {
  for (const int option : {SO_RCVBUF, SO_SNDBUF})
    setsockopt(fd, SOL_SOCKET, option, &kernel_buffer_bytes, sizeof kernel_buffer_bytes);
}

[[noreturn]] void send_for_ever(int fd, std::string_view bytes) {
  for (std::size_t at = 0;; at = at == bytes.size() ? 0 : at) {
    const std::size_t piece = std::min(piece_bytes, bytes.size() - at);
    const ssize_t sent = ::send(fd, bytes.data() + at, piece, MSG_NOSIGNAL);
    if (sent <= 0) _exit(0);
    at += static_cast<std::size_t>(sent);
  }
}

/// True in the child, which has another processor than its parent, and does not outlive it.
bool fork_sender(pid_t& child) {
  child = fork();
  check(child >= 0, "fork");
  if (child == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  pin_to(child == 0 ? 1 : 0);
  return child == 0;
}

int tcp_from_child(pid_t& child, std::string_view bytes) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bound_buffers(listener);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  check(::bind(listener, plain, length) == 0 && ::listen(listener, 1) == 0 &&
            ::getsockname(listener, plain, &length) == 0,
        "listen");
  if (fork_sender(child)) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    bound_buffers(fd);
    if (::connect(fd, plain, length) != 0) _exit(1);
    send_for_ever(fd, bytes);
  }
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  ::close(listener);
  check(fd >= 0, "accept");
  return fd;
}

int socketpair_from_child(pid_t& child, std::string_view bytes) {
  int fds[2];
  check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "socketpair");
  for (const int fd : fds) bound_buffers(fd);
  if (fork_sender(child)) {
    ::close(fds[0]);
    send_for_ever(fds[1], bytes);
  }
  ::close(fds[1]);
  return fds[0];
}

}  // namespace

Flood::Flood(std::string_view bytes, Carrier carrier)
    : fd_(carrier == Carrier::tcp ? tcp_from_child(child_, bytes)
                                  : socketpair_from_child(child_, bytes)) {}

Flood::~Flood() {
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

}  // namespace weir::bench
