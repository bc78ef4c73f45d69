// Internal: used by the load generator.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weir::bench {

/// How often each duration was seen, to within 1/64 of it: 64 buckets for every power of two.
class Histogram {
 public:
  void add(std::uint64_t ns, std::uint64_t times) noexcept {
    buckets_[index_of(ns)] += times;
    total_ += times;
  }

  /// The smallest duration that at least `share` (0 to 1) of all do not exceed.
  std::uint64_t percentile(double share) const noexcept {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > 0 && seen >= wanted) return lower_end(i);
    }
    return 0;
  }

 private:
  static constexpr unsigned sub_bits = 6;
  static constexpr std::uint64_t sub_count = 1U << sub_bits;
  static constexpr unsigned powers = 40;  // Up to 2^40 ns, 18 minutes.

  static std::size_t index_of(std::uint64_t ns) noexcept {
    if (ns < sub_count) return ns;
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - sub_bits - 1;
    if (shift >= powers) return powers * sub_count + sub_count - 1;
    return (shift + 1) * sub_count + ((ns >> shift) - sub_count);
  }
  static std::uint64_t lower_end(std::size_t index) noexcept {
    if (index < sub_count) return index;
    return (sub_count + index % sub_count) << (index / sub_count - 1);
  }

  std::array<std::uint64_t, (powers + 1) * sub_count> buckets_{};
  std::uint64_t total_ = 0;
};

}  // namespace weir::bench
