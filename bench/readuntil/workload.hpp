// Internal: used by every side of the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <bench/readuntil/seen.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::bench {

/// Bytes, cut into the chunks in which they arrive, and what is to be found in them.
///
/// Lifetime  The chunks are views of `bytes`: a workload is moved, never copied.
struct Workload {
  Workload() = default;
  Workload(Workload&&) = default;
  Workload& operator=(Workload&&) = default;

  std::string bytes;                    // Whole records; the last one ends where this does.
  std::vector<std::string> separators;  // More than one: any of them ends a record.
  std::vector<std::string_view> chunks;
  Seen expected;  // By the plainest search there is.
  /// More bytes than that before a separator, and a record is refused: sides tell of an empty one.
  /// 0: no record is.
  std::size_t limit = 0;

  std::string_view separator() const noexcept { return separators.front(); }
  bool is_set() const noexcept { return separators.size() > 1; }
};

/// How the bytes are cut: so many at a time, or 0: at random, 1 to 16 384.
using ChunkSize = std::size_t;

/// Whole records of `record_bytes` each, separator included; their contents are printable bytes,
/// in which none of the separators begins. All of it from one seed.
std::string plain_records(std::size_t record_bytes, std::size_t total_bytes,
                          const std::vector<std::string>& separators);
/// The same with lengths that are log-normal around 80 bytes.
std::string mixed_records(std::size_t total_bytes, const std::vector<std::string>& separators);
/// `filler` over and over, cut at `record_bytes`, then the separator; `records` times.
std::string hostile_records(std::string_view filler, std::size_t record_bytes, std::size_t records,
                            std::string_view separator);

/// A record of `long_bytes` and one of 64 bytes in turns, each with its separator.
std::string long_and_short_records(std::size_t long_bytes, std::size_t total_bytes,
                                   const std::vector<std::string>& separators);

/// Cuts them, and counts what is to be found. `first`: the size of the first chunk, if it is not
/// that of the others.
Workload make_workload(std::string bytes, std::vector<std::string> separators, ChunkSize chunk,
                       ChunkSize first = 0);
/// The same with a limit, and what is to be found under it.
Workload with_limit(Workload workload, std::size_t limit);

}  // namespace weir::bench
