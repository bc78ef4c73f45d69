// Internal: used by poller_poll, poller_kqueue.
// SPDX-License-Identifier: MIT
#pragma once

namespace weir::detail {

/// What epoll says of its own accord, for those systems that take any descriptor: 0, or why `fd` is
/// not to be watched. EBADF: it is closed. EPERM: a regular file or a directory, always ready.
int refusal(int fd) noexcept;

}  // namespace weir::detail
