// Internal: used by the files of match_mask.
// SPDX-License-Identifier: MIT
#pragma once

#include <weir/streams/match_mask.hpp>

namespace weir::detail {

// Each is defined in match_mask_NAME.cpp. The build leaves out those of other processors; of those
// that are in, match_mask.cpp asks this one what it runs.
extern const MatchKernels scalar_kernels;
extern const MatchKernels sse2_kernels;
extern const MatchKernels avx2_kernels;
extern const MatchKernels neon_kernels;

}  // namespace weir::detail
