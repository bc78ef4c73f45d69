// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// Numbers that look random and are the same everywhere: one seed, one run, in every build. The
/// standard library's distributions differ from library to library; these do not.
///
/// Shape     Two calls in one expression have no order in C++: give each a line of its own.
/// Threads   Any one.
/// Source    xoshiro256** and splitmix64, Blackman and Vigna, 2018 (public domain algorithms).
class SimRandom {
 public:
  explicit SimRandom(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15U;
      word = mixed(seed);
    }
  }

  std::uint64_t next() noexcept {
    const std::uint64_t result = rotated(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotated(state_[3], 45);
    return result;
  }

  /// 0 to bound - 1; 0 if `bound` is 0.
  std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>(((next() >> 32U) * bound) >> 32U);
  }
  /// From `low` to `high`, both included; `low` if they are the wrong way round.
  std::size_t between(std::size_t low, std::size_t high) noexcept {
    if (high <= low) return low;
    return low + below(static_cast<std::uint32_t>(std::min(high - low, max_span)) + 1);
  }
  /// True `rate` times in a thousand. A rate of 0 takes no number: what is off leaves no trace.
  bool per_mille(std::uint32_t rate) noexcept { return rate != 0 && below(1000) < rate; }
  bool coin() noexcept { return (next() >> 63U) != 0; }

  template <class T>
  T one_of(std::initializer_list<T> choices) noexcept {
    return choices.begin()[below(static_cast<std::uint32_t>(choices.size()))];
  }

  /// From a nanosecond to `longest`, each order of magnitude as likely as the next: a race needs
  /// microseconds, a time-out needs minutes.
  Duration up_to(Duration longest) noexcept {
    std::uint32_t magnitudes = 0;
    for (Duration::rep left = longest.count(); left > 1; left /= 10) ++magnitudes;
    Duration::rep most = 1;
    for (std::uint32_t left = below(magnitudes + 1); left > 0; --left) most *= 10;
    most = std::min<Duration::rep>(most * 10, std::max<Duration::rep>(longest.count(), 1));
    return Duration(1 + static_cast<Duration::rep>(next() % static_cast<std::uint64_t>(most)));
  }

  /// A generator of its own, for something that must not be disturbed by what happens to the rest.
  SimRandom fork() noexcept { return SimRandom(next()); }

  /// A number to a number, as if by chance: content that can be computed at any place.
  static constexpr std::uint64_t mixed(std::uint64_t value) noexcept {
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
  }

 private:
  static constexpr std::size_t max_span = 0xfffffffe;
  static constexpr std::uint64_t rotated(std::uint64_t value, unsigned by) noexcept {
    return (value << by) | (value >> (64U - by));
  }

  std::uint64_t state_[4];
};

}  // namespace weir
