// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/mailbox.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/outcome.hpp>

namespace weir {

namespace detail {

/// The loop's side of a job that runs on a thread: the future, which never leaves the loop's thread.
template <class T>
struct JobReceiver final : Owned {
  static constexpr Owned::Kind owned_kind = {
      [](Owned& owned) { static_cast<JobReceiver&>(owned).future.cancel(); },
      [](Owned& owned) { delete static_cast<JobReceiver*>(&owned); }};
  explicit JobReceiver(Future<T> its_future) : Owned(owned_kind), future(std::move(its_future)) {}
  ~JobReceiver() {
    if (back != nullptr) *back = nullptr;
  }

  void receive(Outcome<T>&& outcome) {
    if (future.done()) return;  // Cancelled meanwhile.
    if (outcome.exception()) return future.set_exception(outcome.exception());
    if constexpr (std::is_void_v<T>) {
      future.set_result();
    } else {
      future.set_result(std::move(outcome).value());
    }
  }

  Future<T> future;
  JobReceiver** back = nullptr;  // The thread's side; told when the loop ends first.
};

/// The thread's side: what to run and what came of it. `receiver` is read and written on the loop's thread alone.
template <class T, class F>
struct Job {
  explicit Job(F its_function) : function(std::move(its_function)) {}
  F function;
  Outcome<T> outcome;
  JobReceiver<T>* receiver = nullptr;
  std::atomic<bool> cancelled = false;
};

template <class T, class F>
void run_job(const std::shared_ptr<Job<T, F>>& job, const std::shared_ptr<Mailbox>& mailbox) noexcept {
  if (!job->cancelled.load()) {
    try {
      if constexpr (std::is_void_v<T>) {
        job->function();
        job->outcome.set_value();
      } else {
        job->outcome.set_value(job->function());
      }
    } catch (...) {
      job->outcome.set_exception(std::current_exception());
    }
  }
  Callback deliver([job] {
    if (job->receiver == nullptr) return;
    job->receiver->receive(std::move(job->outcome));
    delete job->receiver;
  });
  static_cast<void>(mailbox->post(deliver));  // Refused: the loop is closed, and the receiver gone.
}

}  // namespace detail

/// Runs `function` on a thread of `executor`.
///
/// Errors    The future throws what the function threw. RuntimeError  the executor was shut down.
/// Threads   Call it on the loop's thread. The function runs on another one: it must not touch loops or handles.
/// Lifetime  Cancelling the future keeps a job that has not started from running; one that runs is not interrupted, and
///           its result is dropped.
template <class F>
auto EventLoop::run_in_executor(Executor& executor, F function) {
  check_closed();
  using T = std::invoke_result_t<F&>;
  Future<T> future(*this);
  auto job = std::make_shared<detail::Job<T, F>>(std::move(function));
  auto receiver = std::make_unique<detail::JobReceiver<T>>(future);
  executor.submit(Callback([job, mailbox = mailbox_] { detail::run_job<T, F>(job, mailbox); }));
  job->receiver = receiver.get();
  receiver->back = &job->receiver;
  own(*receiver.release());
  future.add_done_callback([job](const Future<T>& done) {
    if (done.cancelled()) job->cancelled.store(true);
  });
  return future;
}

template <class F>
auto EventLoop::run_in_executor(F function) {
  return run_in_executor(default_executor(), std::move(function));
}

}  // namespace weir
