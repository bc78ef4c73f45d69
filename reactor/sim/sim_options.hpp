// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/sim/sim_random.hpp>

namespace WEIR_API weir {

/// What a simulated kernel may do to a program. Nothing here is a lie: a real kernel does it too.
enum class SimFault : std::uint8_t {
  short_recv,    // recv() gives fewer bytes than have come
  short_send,    // send() takes fewer bytes than there is room for
  again,         // recv(), send(), accept() say EAGAIN, up to four times in a row
  interrupted,   // they say EINTR; a wait ends with nothing
  no_memory,     // recv(), send() say ENOBUFS or ENOMEM
  spurious,      // a descriptor is reported, and has nothing
  held_back,     // a descriptor has something, and is not reported this time
  replay,        // an event of an earlier batch comes again: by now a duplicate, or stale
  reorder,       // the descriptors of a batch come in another order
  small_batch,   // only some of the descriptors of a batch come now
  latency,       // bytes, ends and resets are on their way for up to 50 ms, in pieces
  pause,         // a direction of a connection stands still, for up to longest_pause
  small_window,  // a connection takes few bytes before its peer reads
  reset,         // a connection is reset while it is used
  abort_accept,  // the next connection is gone when it is accepted: ECONNABORTED
  accept_error,  // accept() says ENETDOWN, EPROTO, ENOBUFS or ENOMEM
  no_fds,        // for up to 5 s there are no descriptors: EMFILE
  slow_connect,  // connecting takes up to a minute
  fail_connect,  // ... and fails
  slow_resolve,  // a job of an executor takes up to a minute
  fail_resolve,  // getaddrinfo() says EAI_AGAIN, EAI_NONAME or EAI_FAIL
  slow_calls,    // time passes during a call, and the network goes on meanwhile
  late_wake,     // a wait ends later than it was told to
  clock_jump,    // the machine was asleep: after a wait the clock is up to an hour on
  close_error,   // close() closes, and says EINTR or EIO
};

inline constexpr std::size_t sim_fault_count = 25;

/// The name of the enumerator.
std::string_view to_string(SimFault fault) noexcept;

/// How often a SimKernel does what. As it is made, it does nothing of it: a quiet machine.
struct SimOptions {
  /// Chances in a thousand, by SimFault: of a call, an event, a wait, a connection.
  std::array<std::uint16_t, sim_fault_count> rates{};
  Duration longest_pause = std::chrono::hours(1);

  std::uint16_t rate(SimFault fault) const noexcept {
    return rates[static_cast<std::size_t>(fault)];
  }
  SimOptions& set(SimFault fault, std::uint16_t per_mille) noexcept {
    rates[static_cast<std::size_t>(fault)] = per_mille;
    return *this;
  }

  /// A random half of the faults, each at a random rate. Seeds that differ in what they do find
  /// more than seeds that all do a little of everything.
  static SimOptions swarm(SimRandom& random) noexcept;
};
static_assert(std::is_trivially_destructible_v<SimOptions>);

}  // namespace weir
