// SPDX-License-Identifier: MIT
#include <weir/reactor/event_loop.hpp>

#include <chrono>
#include <cstdio>
#include <new>
#include <string>

#include <weir/reactor/place.hpp>
#include <weir/reactor/report.hpp>
#include <weir/reactor/run_note.hpp>
#include <weir/reactor/trace/tracer.hpp>

// How the loop runs what it runs while somebody watches: debug mode, a tracer, or both.

namespace weir {
namespace {

void run_timed(EventLoop& loop, detail::Runnable& runnable) {
  std::string description = "a callback";
  detail::RunNote note;
  try {
    description = runnable.kind->describe(runnable);  // Now: it may not outlive its run.
    if (runnable.kind->note != nullptr) runnable.kind->note(runnable, note);
    note.outcome = nullptr;  // Keeps nothing alive.
  } catch (const std::bad_alloc&) {
  }
  const TimePoint start = loop.time();
  runnable.run();
  const Duration took = loop.time() - start;
  if (took < loop.slow_callback_duration) return;
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f", std::chrono::duration<double>(took).count());
  loop.log_text(LogLevel::warning, "Executing a callback took too long", [&] {
    const std::string text = "Executing " + description + " took " + seconds + " seconds";
    return note.task == 0 || note.stack.empty()
               ? text
               : text + ", resumed at " + detail::describe_stack(note.stack);
  });
}

}  // namespace

void EventLoop::set_debug(bool enabled) noexcept {
  debug_ = enabled;
  watched_ = debug_ || tracer_ != nullptr;
}

void EventLoop::run_watched(detail::Runnable& runnable) {
  if (tracer_ == nullptr) return run_timed(*this, runnable);
  const detail::TracedRun traced(*tracer_, runnable, ready_);
  debug_ ? run_timed(*this, runnable) : runnable.run();
}

}  // namespace weir
