// SPDX-License-Identifier: MIT
//
// The one that this program brings along.
#include <tests/reactor/back_ends.hpp>

std::span<const BackEnd> back_ends() {
  static constexpr BackEnd all[] = {
      {"kqueue", weir::make_kqueue_poller},
  };
  return all;
}
