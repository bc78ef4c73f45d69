// Internal: used by the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

namespace weir::bench {

/// Which search weir has chosen.
inline const char* simd_path() { return "libc's memchr"; }

}  // namespace weir::bench
