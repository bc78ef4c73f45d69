// Internal: used by the cells of the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <bench/readuntil/carrier.hpp>
#include <bench/readuntil/contestant.hpp>
#include <cstddef>
#include <string>
#include <vector>

namespace weir::bench {

// weir's reader, in each of the forms that it has.
std::vector<Side> weir_sides();
std::vector<Side> weir_line_sides();
std::vector<Side> weir_resident_sides();  // The records are there before the clock starts.
std::vector<Side> weir_habit_sides();     // With other calls in between.
std::vector<Side> weir_timeout_sides();   // Over a LateKernel.
std::vector<Side> weir_limit_sides();     // Over Workload::limit.
Side weir_connections(std::size_t count);
/// Which of its searches weir has chosen here: "avx2".
const char* weir_simd_path();

// Lines over a carrier: weir, and recv() with memchr.
std::vector<Side> memory_sides();
std::vector<Side> simulated_sides();
std::vector<Side> socket_sides(Carrier carrier);

// peers/: the floors. Loops without a reader, a limit, or anybody to wait for.
Side memcpy_side();                // Only the feed: what no reader can be faster than.
std::vector<Side> memchr_sides();  // View, copy into a reused buffer, std::string.
std::vector<Side> memchr_resident_sides();
std::vector<Side> bare_timeout_sides();
Side bare_limit_side();
Side last_byte_side();  // memchr for the last byte of the separator.
Side two_bytes_side();  // First and last byte at once, by AVX2.

// peers/: libraries. Without sides, and without a version, where this build has not got them.
std::vector<Side> asio_sides();
std::vector<Side> asio_timeout_sides();
std::vector<Side> asio_limit_sides();
std::string asio_version();
std::vector<Side> libevent_sides();
std::string libevent_version();
Side getline_side();
/// asyncio.StreamReader in a process of its own; null if `python` cannot be started. `way`: how it
/// reads, a key of WAYS in cpython_reader.py; `what` is said of it in the side's name.
Side cpython_side(const std::string& python, const std::string& script,
                  const std::string& way = "readuntil", const std::string& what = "");

}  // namespace weir::bench
