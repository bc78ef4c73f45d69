// SPDX-License-Identifier: MIT
#include <bench/readuntil/sides.hpp>

namespace weir::bench {

std::vector<Side> asio_sides() { return {}; }
std::vector<Side> asio_timeout_sides() { return {}; }
std::vector<Side> asio_limit_sides() { return {}; }
std::string asio_version() { return {}; }

}  // namespace weir::bench
