// Internal: used by the reader's state.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// What is known of the set of separators that was looked for last.
struct SetMemo {
  /// How far the stream has been searched for one separator of the set: no match ends at `searched`
  /// or before, but for the one that starts at `match`.
  struct Scan {
    static constexpr std::uint64_t none = static_cast<std::uint64_t>(-1);
    std::uint64_t searched = 0;
    std::uint64_t match = none;
  };
  std::string key;
  std::vector<Scan> scans;
};

}  // namespace detail
}  // namespace weir
