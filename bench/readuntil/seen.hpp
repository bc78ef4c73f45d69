// Internal: used by every side of the readuntil benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::bench {

/// What one side has found in a pass. All sides must have seen the same.
struct Seen {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // Separators included.
  std::uint64_t hash = 0;   // Of the contents, in a checking pass; else 0.

  friend bool operator==(const Seen&, const Seen&) = default;
};

/// Takes the records of a timed pass: as little work as shows that they came.
struct Counting {
  Seen seen;

  /// `tail`: the separator, for those who cut it off.
  void operator()(std::string_view record, std::string_view tail = {}) noexcept {
    ++seen.records;
    seen.bytes += record.size() + tail.size();
  }
};

/// Takes the records of the pass before the timed ones: every byte counts, and where records end.
struct Checking {
  Seen seen;

  void operator()(std::string_view record, std::string_view tail = {}) noexcept {
    ++seen.records;
    seen.bytes += record.size() + tail.size();
    add(record);
    add(tail);
    mix(0x100);
  }

 private:
  void add(std::string_view bytes) noexcept {
    for (const char byte : bytes) mix(static_cast<unsigned char>(byte));
  }
  /// FNV-1a, with 0x100 for the end of a record. cpython_reader.py has it, too.
  void mix(std::uint64_t value) noexcept { seen.hash = (seen.hash ^ value) * 0x100000001b3; }
};

/// A copy that nobody looks at was made all the same.
inline void keep(const void* copy) noexcept { asm volatile("" : : "r"(copy) : "memory"); }

}  // namespace weir::bench
