// Internal: used by future.hpp and task.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <source_location>
#include <string>

#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/intrusive_list.hpp>
#include <weir/reactor/ready_queue.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/task/rare_texts.hpp>

namespace WEIR_API weir {
namespace detail {

struct FutureBase;
class TaskBase;

/// One who hears when a future is done: a done callback, or a task that awaits it. In the future's
/// list until then; afterwards, in the order they came, in the ready queue.
struct FutureWaiter : ListLink, Queueable {
  explicit FutureWaiter(const RunnableKind& its_kind) noexcept : Queueable(its_kind) {}

  /// Keeps the future while the waiter is in the ready queue. In its list, a task's wait keeps it
  /// too; a callback does not, for it is the future that keeps the callback.
  Ref<FutureBase> future;
};

/// What differs between a future and a task.
struct FutureKind {
  const char* name;
  bool (*cancel)(FutureBase&, const std::string& message);
  void (*destroy)(FutureBase&) noexcept;
  /// The task that the future is. None for a plain future.
  TaskBase* (*task)(FutureBase&) noexcept = nullptr;
  /// What describe() says besides the state: " name='Task-1'".
  std::string (*attributes)(const FutureBase&) = nullptr;
  /// Whether somebody has asked for its cancellation. Never, for a plain future.
  bool (*cancelling)(const FutureBase&) = nullptr;
  /// Hears that it is done, before all waiters. It may queue something; nothing else.
  void (*settled)(FutureBase&) noexcept = nullptr;
  /// Of a task that is done: the co_await where its coroutine was suspended last.
  std::source_location (*last_await)(const FutureBase&) = nullptr;
};

/// The state behind Future<T> and Task<T> that does not depend on T: pending → finished |
/// cancelled, one way.
///
/// Threads   The loop's thread.
/// Lifetime  Counted. When the last reference goes, an exception that nobody fetched is reported,
///           and the callbacks that never had their turn go with it.
struct FutureBase : Counted<FutureBase> {
  enum class Status : std::uint8_t { pending, finished, cancelled };

  FutureBase(EventLoop& loop, const FutureKind& its_kind) : token(loop.token()), kind(&its_kind) {}
  FutureBase(const FutureBase&) = delete;
  FutureBase& operator=(const FutureBase&) = delete;
  ~FutureBase() = default;

  void destroy() noexcept;
  bool done() const noexcept { return status != Status::pending; }
  bool cancel(const std::string& message) { return kind->cancel(*this, message); }
  TaskBase* task() noexcept { return kind->task != nullptr ? kind->task(*this) : nullptr; }

  /// Adds one who hears of the end; queued at once if that has come.
  void add_waiter(FutureWaiter& waiter);
  /// Ends the future, and queues everybody who waits. The result is in place before.
  void settle(Status final_status);
  void settle_exception(std::exception_ptr its_error);
  /// What a plain future does on cancel(): false if it is done.
  bool settle_cancelled(const std::string& message);

  /// Throws what result() throws unless there is a value, and counts as having looked.
  void check_result();
  /// The exception or null, as Future.exception() returns it.
  std::exception_ptr fetch_exception();
  void require_pending() const;
  /// The loop, or RuntimeError "Event loop is closed" once it is gone.
  EventLoop& loop() const;
  std::string describe() const;
  /// Nobody wants to hear of its exception any more: what it has, or comes to have, is not
  /// reported.
  void silence() noexcept {
    silenced = true;
    exception_unseen = false;
  }
  /// What the caller throws now may be this future's own exception: then it has been heard.
  void seen_if_thrown(const std::exception_ptr& thrown) noexcept {
    if (error == thrown) exception_unseen = false;
  }

  // First, where the count has left room: a task for each connection is many tasks.
  Status status = Status::pending;
  bool exception_unseen = false;
  bool silenced = false;
  Ref<LoopToken> token;
  const FutureKind* kind;
  std::exception_ptr error;
  RareTexts texts;
  IntrusiveList<FutureWaiter> waiters;

 private:
  void report_unseen();
  void queue(FutureWaiter& waiter) noexcept;
};

/// The cancel of a plain future.
bool cancel_plain_future(FutureBase& future, const std::string& message);

}  // namespace detail
}  // namespace weir
