// Internal: used by the carrier cells of the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

namespace weir::bench {

/// What brings the bytes.
enum class Carrier {
  memory,      // recv() is a memcpy.
  simulated,   // reactor/sim: both ends in one process, without a system call.
  socketpair,  // Another process.
  tcp,         // The same, over the loopback interface.
};

}  // namespace weir::bench
