// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// Every call of Kernel, and of the pollers and executors that a kernel hands out: what the kernels
/// of reactor/sim count, script and fail.
enum class Call : std::uint8_t {
  now,
  socket,
  socketpair,
  bind,
  listen,
  accept,
  connect,
  recv,
  send,
  sendfile,
  pread,
  shutdown,
  close,
  set_nonblocking,
  getsockopt,
  setsockopt,
  getsockname,
  getpeername,
  stat,
  unlink,
  getaddrinfo,
  freeaddrinfo,
  signal_action,
  make_poller,
  make_executor,
  poller_set,
  poller_wait,
  poller_wake,
  executor_submit,
};

inline constexpr std::size_t call_count = 29;

/// The name of the enumerator.
constexpr std::string_view to_string(Call call) noexcept {
  constexpr std::string_view names[] = {
      "now",
      "socket",
      "socketpair",
      "bind",
      "listen",
      "accept",
      "connect",
      "recv",
      "send",
      "sendfile",
      "pread",
      "shutdown",
      "close",
      "set_nonblocking",
      "getsockopt",
      "setsockopt",
      "getsockname",
      "getpeername",
      "stat",
      "unlink",
      "getaddrinfo",
      "freeaddrinfo",
      "signal_action",
      "make_poller",
      "make_executor",
      "poller_set",
      "poller_wait",
      "poller_wake",
      "executor_submit",
  };
  static_assert(std::size(names) == call_count);
  return names[static_cast<std::size_t>(call)];
}

static_assert(to_string(Call::executor_submit) == "executor_submit", "in step, to the last one");

}  // namespace weir
