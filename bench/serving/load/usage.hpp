// Internal: used by the load generator.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace weir::bench {

/// Processor time used up to now, in nanoseconds.
struct Usage {
  std::uint64_t server = 0;   // All threads of the server, in user space and in the kernel.
  std::uint64_t client = 0;   // This process.
  std::uint64_t machine = 0;  // Everybody, and what the hypervisor took away: to within 10 ms.

  Usage operator-(const Usage& earlier) const noexcept {
    return {server - earlier.server, client - earlier.client, machine - earlier.machine};
  }
};

/// Reads /proc. `server` may be 0: there is none to look at.
///
/// Errors    std::runtime_error  the server is gone, or this is not Linux.
Usage usage_now(pid_t server);

}  // namespace weir::bench
