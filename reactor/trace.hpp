// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <weir/reactor/export.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/trace/explain.hpp>
#include <weir/reactor/trace/trace_kernel.hpp>
#include <weir/reactor/trace/tracer.hpp>

namespace WEIR_API weir {

/// Records what a loop does: polls, callbacks and steps of tasks with their place in the source,
/// timers, reads, writes, pauses, wake-ups, cancellations. Shows it as a picture (Chrome's trace
/// format, for ui.perfetto.dev) or tells it in sentences.
///
///     Trace trace;
///     trace.explain_to([](std::string_view line) { std::cerr << line << '\n'; });
///     run(serve(), trace.kernel());
///     std::ofstream("trace.json") << trace.json();
///
/// No program need be changed for it: WEIR_TRACE=FILE in the environment writes the picture when a
/// loop is closed, WEIR_TRACE=explain tells the story on standard error. docs/tracing.md.
///
/// Shape     One Trace a loop.
/// Threads   That of the loop.
/// Lifetime  It must outlive the loop, its transports and sockets: it is their kernel.
/// Cost      A loop that is not traced pays nothing, not an instruction. One that is, a few hundred
///           nanoseconds a record, and the memory for `capacity` of them.
class Trace {
 public:
  static constexpr std::size_t default_capacity = 64 * 1024;  // Records; about 16 MiB.

  /// The last `capacity` records are kept.
  explicit Trace(Kernel& kernel = Kernel::posix(), std::size_t capacity = default_capacity)
      : tracer_(kernel, capacity), kernel_(kernel, tracer_) {}

  /// What the loop is made with: `EventLoop loop(trace.kernel())`, `run(main(), trace.kernel())`.
  Kernel& kernel() noexcept { return kernel_; }

  /// Hands each sentence to `line` as soon as it is complete, without a line end.
  void explain_to(std::function<void(std::string_view)> line);
  /// Completes the sentence that waits for more to be said.
  void flush();

  /// What was recorded, in Chrome's trace-event format. A task and a connection have a track each;
  /// an arrow leads from what wakes to what runs.
  std::string json() const;
  /// How many records are lost: there was no room, or no memory.
  std::uint64_t dropped() const noexcept { return tracer_.dropped(); }

  // ---- For weir's own layers
  detail::Tracer& tracer() noexcept { return tracer_; }
  const detail::TraceRing& records() const noexcept { return tracer_.records(); }

 private:
  detail::Tracer tracer_;
  detail::TraceKernel kernel_;
  std::unique_ptr<detail::Explainer> explainer_;
};

}  // namespace weir
