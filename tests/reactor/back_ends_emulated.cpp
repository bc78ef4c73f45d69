// SPDX-License-Identifier: MIT
//
// What Linux has, and kqueue over the emulation.
#include <tests/reactor/back_ends.hpp>

std::span<const BackEnd> back_ends() {
  static constexpr BackEnd all[] = {
      {"epoll", weir::make_epoll_poller},
      {"kqueue", weir::make_kqueue_poller},
      {"poll", weir::make_poll_poller},
  };
  return all;
}
