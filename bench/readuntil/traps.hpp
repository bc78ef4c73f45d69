// Internal: used by the cells of the readuntil benchmark and by its gate.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace weir::bench {

/// What somebody sends who knows how the search works: a record full of what is nearly a separator.
struct Trap {
  const char* separator_name;
  const char* name;
  std::string filler;
  std::string separator;

  /// One record, separator included.
  std::string record(std::size_t bytes) const;
};

std::vector<Trap> all_traps();

}  // namespace weir::bench
