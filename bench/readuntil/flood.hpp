// Internal: used by the carrier cells of the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <bench/readuntil/carrier.hpp>
#include <string_view>

namespace weir::bench {

/// A process that sends the same bytes over and over, through a TCP connection on the loopback
/// interface or a socketpair, as fast as they are taken. It has a processor of its own, and we
/// another one, where there are two.
///
/// Errors    std::runtime_error: the operating system did not let us.
class Flood {
 public:
  Flood(std::string_view bytes, Carrier carrier);
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;
  ~Flood();  // Ends the process. The descriptor is whose it was given to.

  /// The receiving end; blocking.
  int fd() const noexcept { return fd_; }

 private:
  pid_t child_ = -1;
  int fd_ = -1;
};

}  // namespace weir::bench
