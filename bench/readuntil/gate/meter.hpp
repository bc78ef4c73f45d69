// Internal: used by the cells of the gate.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace weir::bench {

// What is counted between begin() and end(), but for the pauses. Two programs are made of the same
// cells: in one, callgrind counts instructions (meter_callgrind.cpp); in the other, memory is
// counted (meter_memory.cpp), which would be in the way of the first.

void meter_begin();
void meter_pause() noexcept;
void meter_resume() noexcept;
/// Writes down what was counted, under this name.
void meter_end(const std::string& name);

/// Whether this program counts instructions: then the cells keep to what callgrind can do in time.
bool meter_is_slow() noexcept;

/// A read had to wait. Counted in the program that counts memory.
void meter_suspension() noexcept;
/// Bytes that the kernel in memory has copied to us: a real kernel would have.
void meter_received(std::uint64_t bytes) noexcept;
/// Bytes that searches have looked at.
void meter_scanned(std::uint64_t bytes) noexcept;

}  // namespace weir::bench
