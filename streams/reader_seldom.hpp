// Internal: used by the reader's state.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/streams/lazy_timer.hpp>
#include <weir/streams/set_memo.hpp>

namespace WEIR_API weir {
namespace detail {

/// Only of readers that were given a time-out.
struct ReaderDeadlines {
  ReaderDeadlines(EventLoop& loop, void* owner, LazyTimer::Look look) : timer(loop, owner, look) {}
  LazyTimer timer;
  std::optional<Duration> read;
  std::optional<Duration> idle;
  TimePoint waiting_since{};  // Of the read that waits.
  TimePoint active_at{};
};

/// What few readers need, so that all others are small: made when it is needed.
struct ReaderSeldom {
  static constexpr std::size_t no_cap = std::numeric_limits<std::size_t>::max();

  SetMemo set;
  std::uint64_t set_bytes_scanned = 0;
  std::string collected;            // By a read(-1).
  const void* collector = nullptr;  // Whose that is, from its first look to its end.
  std::size_t cap = no_cap;
  std::unique_ptr<ReaderDeadlines> deadlines;
};

}  // namespace detail
}  // namespace weir
