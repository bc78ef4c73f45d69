// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <weir/reactor/export.hpp>
#include <weir/reactor/sim/fault_kernel.hpp>

namespace WEIR_API weir {

/// What weir does when a call fails so. `./dev faults` holds it to this; docs/errno_policy.md says
/// it to users.
enum class Reaction : std::uint8_t {
  retry,            // Tries again; nobody notices.
  ignore,           // Goes on without.
  wait,             // Reports it, and tries again every second.
  next_connection,  // Looks at the next connection that waits; drops this one.
  other_way,        // Does it in another way.
  next_address,     // Tries the next address; when none is left, the call throws.
  fail_call,        // The call throws.
  log,              // Logs it, and goes on.
  close_transport,  // connection_lost(error): this connection ends, and no other.
  end_stream,       // Takes it for the end.
  refuse,           // Whoever wants to watch the descriptor: a connection ends, a call throws.
  time_passes,      // Deadlines come when the clock says so.
  stop_loop,        // Comes out of run_forever().
};

/// A fault that real systems are known for.
struct KnownFault {
  Call call;
  FaultKind kind;
  int value;
  FaultWhere where;
  Reaction reaction;
  std::string_view source;  // A manual page, or where else it is known from.
};

/// All of them, by call. The one authority: what is not here is not tried.
std::span<const KnownFault> known_faults();

/// "ECONNRESET", "EAI_AGAIN", "one byte"; with where it applies, "ECONNREFUSED (SO_ERROR)".
std::string name_of(const KnownFault& fault);
std::string_view to_string(Reaction reaction) noexcept;
/// What somebody reads who is told of it: the text of the errno, or of the EAI_… number. Empty if
/// nobody is told.
std::string text_of(const KnownFault& fault);
/// Whether it makes sense that it strikes again and again. Some calls are tried again at once until
/// they work, and a clock does not jump with every look.
bool may_last(const KnownFault& fault) noexcept;

}  // namespace weir
