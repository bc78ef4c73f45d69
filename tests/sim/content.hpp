// Internal: used by the simulations.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <weir/reactor/sim/sim_random.hpp>

namespace weir::sim {

/// What end `stream` of a connection sends: known at every offset without keeping it, with line
/// ends among it, and different for every stream and place.
inline std::string content(std::uint64_t stream, std::uint64_t offset, std::size_t bytes) {
  constexpr std::string_view letters = "abcdefghijklmn\r\n";
  constexpr std::uint64_t block_bytes = 16;  // Four bits a letter.
  std::string text(bytes, '\0');
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    const std::uint64_t at = offset + i;
    if (i == 0 || at % block_bytes == 0)
      word = SimRandom::mixed((stream << 40U) + at / block_bytes + 1);
    text[i] = letters[(word >> (4 * (at % block_bytes))) & 15U];
  }
  return text;
}

}  // namespace weir::sim
