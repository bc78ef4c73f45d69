// Internal: used by the simulations.
// SPDX-License-Identifier: MIT
#pragma once

#include <weir/reactor/task/coro.hpp>
#include <weir/streams/stream_reader.hpp>
#include <weir/streams/stream_writer.hpp>

#include <tests/sim/end.hpp>

namespace weir::sim {

/// Does the steps of a stream, one after the other, and checks what each of them brings.
///
/// Errors    Planted, where the script says so. CancelledError.
Coro<> stream_side(End* end, StreamReader reader, StreamWriter writer);

}  // namespace weir::sim
