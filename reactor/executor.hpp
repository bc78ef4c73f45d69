// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>

#include <weir/reactor/callback.hpp>
#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// Where blocking work goes: a bounded set of threads, or whatever a test's kernel puts in its
/// place.
///
/// Threads   submit() and shutdown() from the loop thread; the jobs run elsewhere and must not
///           throw.
/// Lifetime  Jobs that were not started when shutdown() is called are destroyed on the caller's
///           thread, unrun. The destructor waits for those that run.
class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  /// Runs `job` off the loop thread, in the order of submission as far as there are threads.
  ///
  /// Errors    RuntimeError "cannot schedule new futures after shutdown".
  virtual void submit(Callback job) = 0;

  /// Takes no more jobs and destroys the waiting ones. With `wait`, returns when the running ones
  /// have ended.
  virtual void shutdown(bool wait) = 0;
};

/// A pool that starts a thread when a job finds none idle, until there are `max_threads`; then it
/// queues. Threads stay until shutdown, and take no signals.
///
/// Errors    ValueError    max_threads is 0.
///           RuntimeError  from submit(): the system refuses even a first thread, "can't start new
///           thread".
std::unique_ptr<Executor> make_thread_pool(std::size_t max_threads);

/// asyncio's default: min(32, CPUs + 4).
std::size_t default_max_threads() noexcept;

}  // namespace weir
