// Internal: used by the kernels of sim/ and of trace/.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string>

namespace weir::detail {

/// What memory holds of `value`: an address, or what a socket option is set to.
template <class Value>
std::string bytes_of(const Value& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline std::size_t total_bytes(std::span<const iovec> buffers) {
  std::size_t total = 0;
  for (const iovec& buffer : buffers) total += buffer.iov_len;
  return total;
}

}  // namespace weir::detail
