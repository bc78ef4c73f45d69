// SPDX-License-Identifier: MIT
#include <weir/reactor/poller/wakeup.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include <weir/reactor/error.hpp>

// Facts this file rests on (eventfd(2)):
//  * An eventfd is a counter of 64 bits: write() adds its 8 bytes to it, read() takes it all.
//  * It is readable while the counter is not 0. One descriptor serves both ends.

namespace weir::detail {

Wakeup::Wakeup() {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw_os_error(errno);
  read_end_ = UniqueFd(Kernel::posix(), fd);
}

void Wakeup::wake() noexcept {
  // Release: what the caller wrote before is seen by whoever consumes, even if this call is merged.
  if (pending_.exchange(true, std::memory_order_acq_rel)) return;
  const int saved_errno = errno;
  const std::uint64_t one = 1;
  if (::write(read_end_.get(), &one, sizeof one) < 0) pending_.store(false);
  errno = saved_errno;
}

void Wakeup::consume() noexcept {
  std::uint64_t count = 0;
  if (::read(read_end_.get(), &count, sizeof count) < 0 && errno != EAGAIN) return;
  // Only now: a wake() that came between the read and here was merged, and the caller is about to
  // look. In the other order its token would be read with the flag left up: no wake-up ever again.
  pending_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace weir::detail
