// Internal: used by the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <bench/readuntil/carrier.hpp>
#include <bench/readuntil/workload.hpp>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace weir::bench {

/// Who takes part.
enum class Field { resident, stream, lines, connections, habits, carrier, timeouts, limits };

/// One workload of the grid, made when its turn comes.
struct Cell {
  std::string group;      // Which question it belongs to: "resident", "length", "chunk", …
  std::string separator;  // As it is shown: "LF".
  std::string name;       // What is special about it.
  std::size_t record_bytes;
  std::size_t chunk_bytes;
  Field field;
  std::function<Workload()> make;
  bool quick;  // Also in a quick run.
  std::size_t connections = 1;
  Carrier carrier = Carrier::memory;
};

std::vector<Cell> all_cells();

}  // namespace weir::bench
