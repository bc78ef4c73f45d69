// Internal: used by Trace and by WEIR_TRACE=file.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include <weir/reactor/trace/record.hpp>

namespace weir::detail {

/// The records of some loops in the trace-event format, one process a loop, one thread for the loop
/// itself, for each task and for each connection.
std::string trace_json(std::span<const TraceRing* const> loops);

}  // namespace weir::detail
