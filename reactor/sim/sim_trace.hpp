// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/sim/call.hpp>

namespace WEIR_API weir {

/// What happened in a simulation, in order: a hash of it always, the text if it was asked for.
/// Equal hashes are equal runs.
///
/// Cost      A few multiplications an event; a line of text if recording.
class SimTrace {
 public:
  /// What a simulated machine notes, besides the calls of the program.
  enum class Event : std::uint8_t {
    ready,      // a descriptor is reported: its generation; 1 readable, 2 writable, 3 both
    bytes,      // bytes reach an end: how many
    end,        // the end of the stream does
    reset,      // a reset does
    connected,  // a client finds its listener
    refused,    // ... or does not: errno
    job,        // a job of an executor runs
    clock,      // the clock moves by itself: nanoseconds
  };

  /// From now on, keeps the text.
  void record(bool enabled = true) noexcept { recording_ = enabled; }

  void call(TimePoint now, Call call, int fd, std::int64_t value, int error);
  void event(TimePoint now, Event event, std::uint64_t what, std::int64_t value);
  /// A line of the program's own: what it did, or checked.
  void note(TimePoint now, std::string_view text);

  std::uint64_t hash() const noexcept { return hash_; }
  std::uint64_t events() const noexcept { return events_; }
  /// "  12.003000 send(5) = 17", "   0.000000 poll(-1) = EAGAIN": seconds since the start.
  const std::vector<std::string>& lines() const noexcept { return lines_; }

 private:
  void add(std::uint64_t word) noexcept;
  void add_line(TimePoint now, std::string text);

  std::uint64_t hash_ = 0xcbf29ce484222325U;
  std::uint64_t events_ = 0;
  std::vector<std::string> lines_;
  bool recording_ = false;
};

}  // namespace weir
