// Internal: used by the loop, transports and tasks where tracing is on, and by the tracing kernel.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/reactor/export.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/ready_queue.hpp>
#include <weir/reactor/run_note.hpp>
#include <weir/reactor/trace/record.hpp>

namespace WEIR_API weir {
namespace detail {

/// Makes records of what a loop does. Who wakes whom is seen from the ready queue: what is new in
/// it after a run was put there by that run. So waking, the hottest thing there is, has no hook.
///
/// Errors    None: what there is no memory for is not recorded, but counted.
/// Threads   The loop's thread.
class Tracer {
 public:
  Tracer(Kernel& clock, std::size_t capacity) : clock_(clock), ring_(capacity) {}
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;
  ~Tracer() = default;

  // ---- For the loop: everything that it runs stands between these two.
  void begin_run(Runnable& runnable, const ReadyQueue& ready) noexcept;
  void end_run(const ReadyQueue& ready) noexcept;
  /// Those in the queue have moved, and were not woken again; some may be new.
  void renumber(const ReadyQueue& ready) noexcept;
  /// The loop is closed: hands all of it to who asked for that.
  void finish() noexcept;

  // ---- For the kernel
  TimePoint now() { return clock_.now(); }
  void waits(std::optional<Duration> timeout) noexcept;
  void polled(TimePoint start, std::optional<Duration> timeout,
              std::span<const Ready> ready) noexcept;
  void happened(TraceEvent event, int fd, std::int64_t value = 0, std::int64_t asked = 0,
                int error = 0) noexcept;
  void closed(int fd) noexcept;

  // ---- For tasks and handles
  void cancelled(std::uint64_t task, const std::function<std::string()>& name) noexcept;
  void cancelled(const Runnable& handle, const std::source_location& place) noexcept;

  // ---- For those who look
  const TraceRing& records() const noexcept { return ring_; }
  std::uint64_t dropped() const noexcept { return ring_.dropped() + lost_; }
  void set_listener(TraceListener listener) { listener_ = std::move(listener); }
  void when_finished(std::function<void()> callback) { finished_ = std::move(callback); }

 private:
  struct Woken {
    std::uint64_t wake;
    bool timer;
  };
  RunNote note_of(Runnable& runnable, TraceRecord& record);
  void note_wakes(const ReadyQueue& ready);
  void note_wake(Runnable& item);
  void push(TraceRecord record);
  std::uint64_t connection(int fd);
  template <class Step>
  void attempt(const Step& step) noexcept;

  Kernel& clock_;
  TraceRing ring_;
  TraceListener listener_;
  std::function<void()> finished_;
  std::unordered_map<const Runnable*, Woken> woken_;
  std::vector<std::uint64_t> connections_;  // By descriptor; 0: none yet.
  std::function<RunOutcome()> outcome_;     // Of what runs now.
  QueuePosition seen_ = 1;                  // Positions of the queue below this are known.
  std::uint64_t run_ = 0;                   // What runs now; 0: nothing.
  std::uint64_t runs_ = 0;
  std::uint64_t wakes_ = 0;
  std::uint64_t connection_count_ = 0;
  std::uint64_t lost_ = 0;
};

/// Brackets a run, however it ends.
class TracedRun {
 public:
  TracedRun(Tracer& tracer, Runnable& runnable, const ReadyQueue& ready) noexcept
      : tracer_(tracer), ready_(ready) {
    tracer_.begin_run(runnable, ready);
  }
  TracedRun(const TracedRun&) = delete;
  TracedRun& operator=(const TracedRun&) = delete;
  ~TracedRun() { tracer_.end_run(ready_); }

 private:
  Tracer& tracer_;
  const ReadyQueue& ready_;
};

}  // namespace detail
}  // namespace weir
