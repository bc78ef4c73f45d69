// SPDX-License-Identifier: MIT
//
// What the filters of kqueue say, put together from what Linux says. The comments in brackets name
// the place of kqueue(2), FreeBSD 14, that a rule is from.
#include <tests/support/kqueue/filters.hpp>

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace kqueue_emulation {
namespace {

/// An option that is an int; `otherwise` if this is no socket or has no such option.
int option(int fd, int level, int name, int otherwise) {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, level, name, &value, &length) == 0 ? value : otherwise;
}

int count(int fd, unsigned long request) {
  int bytes = 0;
  return ::ioctl(fd, request, &bytes) == 0 ? bytes : 0;
}

bool is_socket(int fd) { return option(fd, SOL_SOCKET, SO_TYPE, 0) != 0; }

tcp_info tcp_info_of(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
  return info;
}

/// Linux calls a socket that was never connected hung up, and one that has lost its connection too;
/// of these two only the latter has shut its reading side.
bool was_never_connected(int fd, std::uint32_t events) {
  if ((events & EPOLLHUP) == 0 || (events & EPOLLERR) != 0) return false;
  pollfd look{fd, POLLRDHUP, 0};
  return ::poll(&look, 1, 0) == 1 && (look.revents & POLLRDHUP) == 0;
}

/// The socket said shutdown(SHUT_WR). Linux tells it of TCP only.
bool has_shut_writing(int fd) {
  if (option(fd, SOL_SOCKET, SO_PROTOCOL, 0) != IPPROTO_TCP) return false;
  switch (tcp_info_of(fd).tcpi_state) {
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT: return true;
    default: return false;
  }
}

/// Reading SO_ERROR would take it away from recv(): that there is an error is known, which one is
/// not. A program must not rely on more than that it is not 0.
std::uint32_t pending_error(std::uint32_t events) {
  return (events & EPOLLERR) != 0 ? ECONNRESET : 0;
}

}  // namespace

int kind_of(int fd, Kind& kind) noexcept {
  struct stat status{};
  if (::fstat(fd, &status) < 0) return -1;
  if (S_ISSOCK(status.st_mode)) {
    kind = option(fd, SOL_SOCKET, SO_ACCEPTCONN, 0) != 0 ? Kind::listener : Kind::socket;
  } else if (S_ISFIFO(status.st_mode)) {
    kind = Kind::pipe;
  } else {
    kind = S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? Kind::vnode : Kind::other;
  }
  return 0;
}

Finding read_filter(int fd, std::uint32_t events) noexcept {
  Finding found;
  Kind kind{};
  if (kind_of(fd, kind) != 0) return found;
  switch (kind) {
    case Kind::listener:
      // [Sockets: "when there is an incoming connection pending"; data is the backlog]
      found.active = (events & EPOLLIN) != 0;
      if (found.active) found.data = std::max<std::int64_t>(1, tcp_info_of(fd).tcpi_unacked);
      return found;
    case Kind::socket:
      if (was_never_connected(fd, events)) return found;
      // [Sockets: a read direction that has shut down is EV_EOF, with the error in fflags, and
      // "while there is still data pending"]
      found.eof = (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
      found.error = pending_error(events);
      found.data = count(fd, FIONREAD);
      found.active = found.data > 0 || found.eof || found.error != 0;
      return found;
    case Kind::pipe:
      // [Fifos, Pipes: "When the last writer disconnects, the filter will set EV_EOF"]
      found.eof = (events & EPOLLHUP) != 0;
      found.data = count(fd, FIONREAD);
      found.active = found.data > 0 || found.eof;
      return found;
    case Kind::other:
    case Kind::vnode: break;
  }
  found.active = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
  found.data = found.active ? 1 : 0;
  return found;
}

Finding write_filter(int fd, std::uint32_t events) noexcept {
  Finding found;
  const bool has_room = (events & EPOLLOUT) != 0;
  if (!is_socket(fd)) {
    // [EVFILT_WRITE: "The filter will set EV_EOF when the reader disconnects"]
    found.eof = (events & EPOLLERR) != 0;
    found.active = has_room || found.eof;
    found.data = has_room ? 1 : 0;
    return found;
  }
  if (was_never_connected(fd, events)) return found;
  // [EVFILT_WRITE: "the low water mark and socket error handling is identical"]
  found.eof = (events & EPOLLHUP) != 0 || has_shut_writing(fd);
  found.error = pending_error(events);
  found.active = has_room || found.eof || found.error != 0;
  // [EVFILT_WRITE: "data will contain the amount of space remaining in the write buffer"]
  const std::int64_t room = option(fd, SOL_SOCKET, SO_SNDBUF, 0) - count(fd, SIOCOUTQ);
  if (found.active) found.data = std::max<std::int64_t>(room, has_room ? 1 : 0);
  return found;
}

std::uint32_t events_of_read() noexcept { return EPOLLIN | EPOLLRDHUP; }
std::uint32_t events_of_write() noexcept { return EPOLLOUT; }

bool is_broken_pipe(int fd) noexcept {
  Kind kind{};
  pollfd look{fd, POLLOUT, 0};
  return kind_of(fd, kind) == 0 && kind == Kind::pipe && ::poll(&look, 1, 0) == 1 &&
         (look.revents & POLLERR) != 0;
}

}  // namespace kqueue_emulation
