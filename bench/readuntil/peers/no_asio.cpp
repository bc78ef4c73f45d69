// SPDX-License-Identifier: MIT
#include <bench/readuntil/sides.hpp>

namespace weir::bench {

std::vector<Side> asio_sides() { return {}; }
std::string asio_version() { return {}; }

}  // namespace weir::bench
