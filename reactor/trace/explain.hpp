// Internal: used by Trace and by WEIR_TRACE=explain.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/trace/record.hpp>

namespace WEIR_API weir {
namespace detail {

/// Tells records as sentences, one line for what belongs together: "fd 7 became readable: 12
/// bytes; no separator in 12 of at most 64 bytes; the reader keeps waiting".
class Explainer {
 public:
  using Line = std::function<void(std::string_view)>;
  explicit Explainer(Line line) : line_(std::move(line)) {}

  void tell(const TraceRecord& record);
  /// What waits for more to be said of it is said now.
  void flush();

 private:
  void tell_wait(const TraceRecord& wait);
  void tell_ready(const TraceRecord& ready);
  void tell_run(const TraceRecord& run);
  void tell_end(const TraceRecord& end);
  void tell_wake(const TraceRecord& wake);
  void tell_bytes(const TraceRecord& bytes);
  void tell_other(const TraceRecord& record);
  void begin(const TraceRecord& record, std::string text);
  void add(std::string_view text);
  void admit_run();

  Line line_;
  std::optional<TimePoint> start_;
  std::string pending_;      // The line that is being made.
  std::uint64_t about_ = 0;  // The connection that it is about; 0: none.
  TraceRecord run_;          // What runs, and
  bool run_told_ = true;     // whether a line says so. A read that only looks gets none.
};

}  // namespace detail
}  // namespace weir
