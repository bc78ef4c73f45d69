// SPDX-License-Identifier: MIT
#include <weir/reactor/poller/wakeup.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <weir/reactor/error.hpp>

// Facts this file rests on (pipe(2), fcntl(2); POSIX, so it serves where there is no eventfd):
//  * A non-blocking write of one byte to a pipe succeeds, or fails with EAGAIN when it is full.
//  * pipe2() is not everywhere. With pipe() and fcntl() a fork in another thread, in between, hands
//    the two descriptors to the child: the price of the portable way.

namespace weir::detail {
namespace {

UniqueFd prepared(int fd) {
  UniqueFd owner(Kernel::posix(), fd);
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    throw_os_error(errno);
  }
  return owner;
}

}  // namespace

Wakeup::Wakeup() {
  int ends[2];
  if (::pipe(ends) < 0) throw_os_error(errno);
  UniqueFd write_end(Kernel::posix(), ends[1]);  // Owned before anything below can throw.
  read_end_ = prepared(ends[0]);
  write_end_ = prepared(write_end.release());
}

void Wakeup::wake() noexcept {
  // Release: what the caller wrote before is seen by whoever consumes, even if this call is merged.
  if (pending_.exchange(true, std::memory_order_acq_rel)) return;
  const int saved_errno = errno;
  const char token = 0;
  if (::write(write_end_.get(), &token, sizeof token) < 0) pending_.store(false);
  errno = saved_errno;
}

void Wakeup::consume() noexcept {
  char token = 0;
  if (::read(read_end_.get(), &token, sizeof token) < 0 && errno != EAGAIN) return;
  // Only now: a wake() that came between the read and here was merged, and the caller is about to
  // look. In the other order its token would be read with the flag left up: no wake-up ever again.
  pending_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace weir::detail
