// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <weir/reactor/export.hpp>
#include <weir/reactor/task/awaitable.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/task_base.hpp>

namespace WEIR_API weir {

namespace detail {

/// A task's state: its coroutine while it runs, its result afterwards.
template <class T>
struct TaskState : FutureState<T>, TaskBase {
  static constexpr TaskKind kind_of_task = {
      {
          "Task",
          [](FutureBase& base, const std::string& message) {
            return static_cast<TaskState&>(base).request_cancel(message);
          },
          [](FutureBase& base) noexcept { delete static_cast<TaskState*>(&base); },
          [](FutureBase& base) noexcept -> TaskBase* { return static_cast<TaskState*>(&base); },
          [](const FutureBase& base) {
            return static_cast<const TaskState&>(base).name_attribute();
          },
          [](const FutureBase& base) {
            return static_cast<const TaskState&>(base).cancelling() > 0;
          },
          nullptr,
          [](const FutureBase& base) { return static_cast<const TaskState&>(base).last_await(); },
      },
      [](TaskBase& base, bool cancelled_itself) {
        static_cast<TaskState&>(base).finish(cancelled_itself);
      },
      [](TaskBase& base) noexcept { CoroAccess::destroy(static_cast<TaskState&>(base).coro); },
  };

  TaskState(EventLoop& loop, Coro<T> its_coro, std::string its_name,
            const TaskKind& its_kind = kind_of_task)
      : FutureState<T>(loop, its_kind),
        TaskBase(*this, std::move(its_name)),
        coro(std::move(its_coro)) {}

  Coro<T> coro;

 private:
  void finish(bool cancelled_itself) {
    const std::exception_ptr failure = fetch_outcome();
    CoroAccess::destroy(coro);  // Before anybody hears of it: what it held is free by then.
    if (failure) return this->settle_failed(failure);
    if (cancelled_itself) {
      this->value.reset();
      this->settle_cancelled(this->texts.cancel_message());
      return;
    }
    this->settle(FutureBase::Status::finished);
  }
  /// Moves the coroutine's value here. What it threw instead, or its value did when it was moved.
  std::exception_ptr fetch_outcome() noexcept {
    auto& outcome = CoroAccess::promise(coro)->outcome;
    if (outcome.exception()) return outcome.exception();
    try {
      if constexpr (std::is_void_v<T>) {
        this->value.emplace();
      } else {
        this->value.emplace(std::move(outcome).value());
      }
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  }
};

}  // namespace detail

/// A coroutine that the loop drives. A handle, and a Future of the coroutine's result.
///
/// Shape     Task<int> task = loop.create_task(f(1));   int n = co_await task;   task.cancel();
/// Errors    As Future's. Awaiting oneself: RuntimeError "Task cannot await on itself: …".
/// Threads   The loop's thread.
/// Lifetime  Dropping the handle detaches: the loop keeps the task until it is done. An exception
///           that nobody fetches is reported; so is a task that is still pending when the loop is
///           closed. The coroutine's frame is destroyed when it completes, the result when the last
///           handle goes.
/// Cost      One allocation and the coroutine's frame. A step is one entry of the ready queue.
/// Source    CPython 3.13 tasks.py Task.
template <class T = void>
class Task : public Future<T> {
 public:
  explicit Task(detail::TaskState<T>* state) noexcept : Future<T>(state) {}

  /// Throws CancelledError(message) into the coroutine at the await where it is parked, whatever
  /// the depth; a task that has not started never does. Counted: see uncancel(). False when already
  /// done. Hidden detail of asyncio kept: when it awaits another task, that one is cancelled, and
  /// this one hears of it when that one ends.
  using Future<T>::cancel;

  /// Requests of cancellation that nobody has taken back.
  std::uint32_t cancelling() const noexcept { return task().cancelling(); }
  /// Takes one back; at zero, a cancellation that has not struck yet never does. Returns how many
  /// are left.
  std::uint32_t uncancel() const noexcept { return task().uncancel(); }

  /// "Task-1" and so on unless it was given one.
  std::string get_name() const { return task().name(); }
  void set_name(std::string name) const { task().set_name(std::move(name)); }

 private:
  detail::TaskState<T>& task() const noexcept {
    return static_cast<detail::TaskState<T>&>(this->state());
  }
};

template <class Awaitable>
auto EventLoop::create_task(Awaitable awaitable, std::string name) {
  static_assert(detail::Awaitable<Awaitable>,
                "create_task() takes a coroutine object, a future or another weir awaitable. Given "
                "a function or a lambda, call it: create_task(f(arguments)). A lambda that "
                "captures must not itself be a coroutine: its captures die with the closure; pass "
                "what it needs as parameters, which the frame keeps.");
  check_closed();
  auto coro = detail::as_coro(std::move(awaitable));
  detail::PromiseBase::claim(detail::CoroAccess::promise(coro));
  using T = detail::AwaitResult<decltype(coro)>;
  auto* state = new detail::TaskState<T>(*this, std::move(coro), std::move(name));
  Task<T> task(state);
  state->start(*detail::CoroAccess::promise(state->coro));
  return task;
}

/// create_task() on the running loop.
///
/// Errors    RuntimeError "no running event loop".
template <class Awaitable>
auto create_task(Awaitable awaitable, std::string name = {}) {
  return get_running_loop().create_task(std::move(awaitable), std::move(name));
}

}  // namespace weir
