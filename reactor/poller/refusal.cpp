// SPDX-License-Identifier: MIT
#include <weir/reactor/poller/refusal.hpp>

#include <sys/stat.h>

#include <cerrno>

namespace weir::detail {

int refusal(int fd) noexcept {
  struct stat status{};
  if (::fstat(fd, &status) < 0) return errno;
  return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? EPERM : 0;
}

}  // namespace weir::detail
