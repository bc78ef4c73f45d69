// SPDX-License-Identifier: MIT
#include <bench/readuntil/sides.hpp>

namespace weir::bench {

std::vector<Side> libevent_sides() { return {}; }
std::string libevent_version() { return {}; }

}  // namespace weir::bench
