// Internal: used by the simulations.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::sim {

/// What is rare, and must have been there: a simulation that never overruns a limit finds no bug in
/// overruns.
enum class Mark : std::uint8_t {
  connected,
  connect_failed,
  accepted,
  factory_failed,
  server_failed,
  server_closed,
  client_cancelled,
  handler_cancelled,
  ended,  // eof_received, or a read that met the end
  lost_clean,
  lost_by_error,
  paused,
  resumed,
  raised,
  handed_over,
  write_after_eof,
  write_dropped,
  timed_out,
  overrun,
  incomplete,
  line_too_long,
  released,  // Two waited for each other: nobody's fault
  stale_event,
  accept_out_of_resources,
};

inline constexpr std::size_t mark_count = 24;
inline constexpr std::string_view mark_names[] = {
    "connected",     "connect_failed", "accepted",         "factory_failed",
    "server_failed", "server_closed",  "client_cancelled", "handler_cancelled",
    "ended",         "lost_clean",     "lost_by_error",    "paused",
    "resumed",       "raised",         "handed_over",      "write_after_eof",
    "write_dropped", "timed_out",      "overrun",          "incomplete",
    "line_too_long", "released",       "stale_event",      "accept_out_of_resources",
};
static_assert(std::size(mark_names) == mark_count);

using Marks = std::array<std::uint64_t, mark_count>;

}  // namespace weir::sim
