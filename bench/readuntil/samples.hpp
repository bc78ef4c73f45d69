// Internal: used by the cells of the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

namespace weir::bench {

// What such streams look like, for those that a machine does not have as files.
std::string http_headers(std::size_t total_bytes);  // Blocks of lines, an empty one after each.
std::string json_lines(std::size_t total_bytes);
std::string resp_dump(std::size_t total_bytes);  // Commands of a Redis client.

}  // namespace weir::bench
