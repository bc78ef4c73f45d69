// Internal: used by what the loop runs, and by reports and the trace.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// What became of a run.
struct RunOutcome {
  std::string text;          // "waits for sleep(), 1.000 s left"
  bool looked_only = false;  // A read has looked, and goes on waiting: its task has not run.
};

/// What a runnable says about itself to those who look: the slow-callback report and the trace.
struct RunNote {
  std::uint64_t task = 0;  // The number of the task whose step it is; 0 if it is none.
  std::string name;        // Of the task.
  int fd = -1;             // Of the connection or the listener that it belongs to.
  /// Of a callback the place where it was scheduled; of a task the co_awaits that it resumes from,
  /// the innermost first.
  std::vector<std::source_location> stack;
  std::optional<TimePoint> due;  // It has, or had, a deadline.
  bool looks = false;            // It is a read: it may look, and not resume the task.
  /// Asked when it has run. Keeps alive what it looks at.
  /// Null: nothing to say.
  std::function<RunOutcome()> outcome;
};

}  // namespace detail
}  // namespace weir
