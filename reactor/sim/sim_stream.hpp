// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// What a SimKernel knows of one end of a connection: the truth, for a test to compare with what
/// the program was told. The two ends of a connection have the numbers 2k (the client) and 2k + 1.
struct SimStream {
  std::uint64_t sent = 0;      // bytes that send() has taken here
  std::uint64_t received = 0;  // bytes that recv() has given here
  std::uint64_t arrived = 0;   // bytes that have come here, read or not
  bool end_sent = false;       // by shutdown() or close(), after all those bytes
  bool end_arrived = false;    // the other side's end, after all of its bytes
  bool end_told = false;       // recv() has said 0, and meant it
  bool reset = false;          // the connection was cut: bytes may be lost in both directions
  bool closed = false;
  int error_told = 0;  // the first error that recv() or send() has told, but for EAGAIN and EINTR
};

}  // namespace weir
