// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/letter.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/outcome.hpp>

namespace WEIR_API weir {

namespace detail {

template <class T>
struct JobReceiver;

/// What the two sides of a job share.
template <class T>
struct JobLink {
  JobReceiver<T>* receiver = nullptr;  // Read and written on the loop's thread alone.
  std::atomic<bool> cancelled = false;
};

/// The loop's side of a job that runs on a thread: the future, which never leaves the loop's
/// thread.
template <class T>
struct JobReceiver final : Owned {
  static const Owned::Kind owned_kind;

  JobReceiver(Future<T> its_future, std::shared_ptr<JobLink<T>> its_link)
      : Owned(owned_kind), future(std::move(its_future)), link(std::move(its_link)) {
    link->receiver = this;
  }
  ~JobReceiver() { link->receiver = nullptr; }

  void receive(Outcome<T>&& outcome) {
    if (future.done()) return;  // Cancelled meanwhile.
    if (outcome.exception()) return future.set_exception(outcome.exception());
    if (!outcome.has_value()) return static_cast<void>(future.cancel());  // Never run: dropped.
    try {
      if constexpr (std::is_void_v<T>) {
        future.set_result();
      } else {
        future.set_result(std::move(outcome).value());
      }
    } catch (...) {
      if (!future.done()) future.set_exception(std::current_exception());
    }
  }

  Future<T> future;
  std::shared_ptr<JobLink<T>> link;
};

template <class T>
inline const Owned::Kind JobReceiver<T>::owned_kind = {
    [](Owned& owned) { static_cast<JobReceiver&>(owned).future.cancel(); },
    [](Owned& owned) { delete static_cast<JobReceiver*>(&owned); },
};

/// The thread's side: what to run, and what came of it. Travels to the thread and back, so that
/// what the function holds is destroyed on the loop's thread, where it was made.
template <class T, class F>
struct Job {
  explicit Job(F its_function) : function(std::move(its_function)) {}

  void run() noexcept {
    try {
      if constexpr (std::is_void_v<T>) {
        function();
        outcome.set_value();
      } else {
        outcome.set_value(function());
      }
    } catch (...) {
      outcome.set_exception(std::current_exception());
    }
  }

  F function;
  Outcome<T> outcome;
};

/// What the executor gets. Sends the job back when it has run, or when the executor drops it unrun.
template <class T, class F>
class JobTicket {
 public:
  JobTicket(EventLoop& loop, F function, std::shared_ptr<JobLink<T>> link)
      : JobTicket(loop, std::make_unique<Job<T, F>>(std::move(function)), std::move(link)) {}
  JobTicket(JobTicket&&) = default;
  JobTicket& operator=(JobTicket&&) = delete;
  ~JobTicket() {
    if (delivery_.is_unsent()) send_back();
  }

  void operator()() {
    if (!link_->cancelled.load()) job_->run();
    send_back();
  }

 private:
  JobTicket(EventLoop& loop, std::unique_ptr<Job<T, F>> job, std::shared_ptr<JobLink<T>> link)
      : job_(job.get()),
        link_(link),
        delivery_(loop, Callback([job = std::move(job), link] {
                    const std::unique_ptr<JobReceiver<T>> receiver(link->receiver);
                    if (receiver) receiver->receive(std::move(job->outcome));
                  })) {}

  void send_back() noexcept {
    static_cast<void>(delivery_.send());  // Refused: the loop is closed, the receiver gone.
  }

  Job<T, F>* job_;  // The delivery's.
  std::shared_ptr<JobLink<T>> link_;
  Letter delivery_;
};

}  // namespace detail

/// Runs `function` on a thread of `executor`.
///
/// Shape     What the function returns by reference arrives as a value.
/// Errors    The future throws what the function threw; CancelledError if the executor drops the
///           job unrun. RuntimeError  the executor was shut down, or has no thread to give.
/// Threads   Call it on the loop's thread. The function runs on another one: it must not touch
///           loops or handles. It is destroyed on the loop's thread, unless the loop is closed.
/// Lifetime  Cancelling the future keeps a job that has not started from running; one that runs is
///           not interrupted, and its result is dropped.
template <class F>
auto EventLoop::run_in_executor(Executor& executor, F function) {
  check_closed();
  using T = std::remove_cvref_t<std::invoke_result_t<F&>>;
  Future<T> future(*this);
  auto link = std::make_shared<detail::JobLink<T>>();
  auto receiver = std::make_unique<detail::JobReceiver<T>>(future, link);
  future.add_done_callback([link](const Future<T>& done) {
    if (done.cancelled()) link->cancelled.store(true);
  });
  // Last: a job that the executor has cannot be taken back.
  executor.submit(Callback(detail::JobTicket<T, F>(*this, std::move(function), link)));
  own(*receiver.release());
  return future;
}

template <class F>
auto EventLoop::run_in_executor(F function) {
  return run_in_executor(default_executor(), std::move(function));
}

}  // namespace weir
