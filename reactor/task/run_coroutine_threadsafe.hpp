// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <weir/reactor/callback.hpp>
#include <weir/reactor/clock.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/letter.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/task.hpp>

namespace WEIR_API weir {

namespace detail {

/// The part of a ConcurrentFuture's state that does not depend on T.
///
/// Threads   Any, where nothing else is said.
class ConcurrentBase {
 public:
  explicit ConcurrentBase(EventLoop& loop) : loop_(&loop) {}
  ConcurrentBase(const ConcurrentBase&) = delete;
  ConcurrentBase& operator=(const ConcurrentBase&) = delete;

  bool done() const;
  bool cancelled() const;
  /// Before anybody can cancel: writes the letter that will say so.
  static void prepare_cancel(const std::shared_ptr<ConcurrentBase>& self, EventLoop& loop);
  /// Ends it cancelled, and has the loop cancel the task. False when it is finished. Needs no
  /// memory.
  static bool cancel(const std::shared_ptr<ConcurrentBase>& self);
  /// Returns when it is done. TimeoutError, or RuntimeError on the loop's own thread.
  void wait(std::optional<Duration> timeout) const;
  /// The exception or null; throws CancelledError. Once it is done.
  std::exception_ptr failure() const;

  // ---- On the loop's thread

  /// The task that runs, until it is done; null before and afterwards.
  void set_task(FutureBase* task) noexcept { task_ = task; }
  void finish(std::exception_ptr error) noexcept;
  /// Nothing will come any more, unless something has.
  void abandon() noexcept;

 protected:
  ~ConcurrentBase() = default;

 private:
  enum class Status { pending, finished, cancelled };
  void settle(Status status, std::exception_ptr error) noexcept;

  const EventLoop* loop_;  // Only compared: the loop may be gone.
  std::optional<Letter> cancellation_;
  FutureBase* task_ = nullptr;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Status status_ = Status::pending;  // Guarded by mutex_, as is error_.
  std::exception_ptr error_;
};

template <class T>
struct ConcurrentState final : ConcurrentBase {
  using ConcurrentBase::ConcurrentBase;
  std::optional<Stored<T>> value;  // Written before finish(), read after it.
};

/// Brings the end of the task to whoever waits. Destroyed before it has, it brings the news that
/// there will be no end: the loop was closed.
template <class T>
class ConcurrentTicket {
 public:
  explicit ConcurrentTicket(std::shared_ptr<ConcurrentState<T>> state) noexcept
      : state_(std::move(state)) {}
  ConcurrentTicket(ConcurrentTicket&&) noexcept = default;
  ConcurrentTicket& operator=(ConcurrentTicket&&) = delete;
  ~ConcurrentTicket() {
    if (state_) state_->abandon();
  }

  ConcurrentState<T>& operator*() const noexcept { return *state_; }

  void deliver(const Future<T>& done) {
    const std::shared_ptr<ConcurrentState<T>> state = std::move(state_);
    state->set_task(nullptr);
    if (done.cancelled()) return state->abandon();
    // Not to be written into what was cancelled: its owner may be looking at it.
    if (state->done()) return static_cast<void>(done.exception());
    try {
      if constexpr (std::is_void_v<T>) {
        done.state().take_value();
        state->value.emplace();
      } else {
        state->value.emplace(done.state().take_value());
      }
    } catch (...) {
      return state->finish(std::current_exception());
    }
    state->finish(nullptr);
  }

 private:
  std::shared_ptr<ConcurrentState<T>> state_;
};

template <class T>
void start_for_thread(EventLoop& loop, Coro<T> coro, ConcurrentTicket<T> ticket) {
  ConcurrentState<T>& state = *ticket;
  std::optional<Task<T>> task;
  try {
    task = loop.create_task(std::move(coro));
  } catch (...) {
    state.finish(std::current_exception());
    throw;  // The loop hears of it too.
  }
  state.set_task(&task->state());
  if (state.done()) task->cancel();  // Cancelled before it began: the body never runs.
  try {
    task->add_done_callback(
        [ticket = std::move(ticket)](const Future<T>& done) mutable { ticket.deliver(done); });
  } catch (...) {
    task->cancel();  // Before it began: nobody could be told what becomes of it.
    throw;
  }
}

}  // namespace detail

/// The result of a coroutine on a loop, for another thread. A handle: copies name the same one.
///
/// Errors    result()  what the coroutine threw; CancelledError  it was cancelled, or the loop was
///           closed; TimeoutError  the time was up, the coroutine goes on; RuntimeError  called on
///           the thread of the loop that is to run the coroutine, which would wait for itself.
/// Threads   Any. What the coroutine returns crosses threads: no handles of the loop.
/// Source    CPython concurrent/futures/_base.py Future.
template <class T>
class ConcurrentFuture {
 public:
  explicit ConcurrentFuture(std::shared_ptr<detail::ConcurrentState<T>> state) noexcept
      : state_(std::move(state)) {}

  /// Waits for the value: a copy; of what can only be moved the value itself, once.
  T result(std::optional<Delay> timeout = std::nullopt) const {
    if (const std::exception_ptr error = exception(timeout)) std::rethrow_exception(error);
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (detail::copies<T>) {
      return *state_->value;
    } else {
      return std::move(*state_->value);
    }
  }
  /// Waits; the exception or null. Throws CancelledError and TimeoutError as result() does.
  std::exception_ptr exception(std::optional<Delay> timeout = std::nullopt) const {
    state_->wait(timeout ? std::optional(timeout->value()) : std::nullopt);
    return state_->failure();
  }
  bool done() const { return state_->done(); }
  bool cancelled() const { return state_->cancelled(); }
  /// Ends it at once, for those who wait; the task is cancelled on its loop. False when done.
  bool cancel() const { return detail::ConcurrentBase::cancel(state_); }

 private:
  std::shared_ptr<detail::ConcurrentState<T>> state_;
};

/// Runs a coroutine on a loop that another thread drives.
///
/// Shape     ConcurrentFuture<int> answer = run_coroutine_threadsafe(ask(), loop);
///           int n = answer.result(5s);
/// Errors    RuntimeError "Event loop is closed".
/// Threads   Any. The coroutine's frame is made here, and runs and is destroyed on the loop's
///           thread; its parameters cross with it.
/// Lifetime  `loop` must not be destroyed during the call. A loop that is closed before the
///           coroutine has ended gives CancelledError.
/// Source    CPython 3.13 tasks.py run_coroutine_threadsafe.
template <class T>
ConcurrentFuture<T> run_coroutine_threadsafe(Coro<T> coro, EventLoop& loop) {
  auto state = std::make_shared<detail::ConcurrentState<T>>(loop);
  detail::ConcurrentTicket<T> ticket(state);
  detail::ConcurrentBase::prepare_cancel(state, loop);
  loop.call_soon_threadsafe([&loop, its = std::move(coro), ticket = std::move(ticket)]() mutable {
    detail::start_for_thread(loop, std::move(its), std::move(ticket));
  });
  return ConcurrentFuture<T>(std::move(state));
}

}  // namespace weir
