// Internal: used by coro.hpp, task.hpp and every awaitable.
// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <string>
#include <utility>

#include <weir/reactor/pool.hpp>

namespace weir::detail {

struct CoroOwner;
class TaskBase;

/// The part of every Coro's promise that does not depend on its type: who waits for it, and how far it got.
struct PromiseBase {
  PromiseBase() = default;
  PromiseBase(const PromiseBase&) = delete;
  PromiseBase& operator=(const PromiseBase&) = delete;

  std::coroutine_handle<> self;
  PromiseBase* parent = nullptr;  // The coroutine that awaits this one; null for a task's outermost.
  CoroOwner* owner = nullptr;     // The object whose destructor would destroy the frame.
  bool entered = false;           // The body ran. g++ 12 drops some bodies silently: see Coro.
  bool finished = false;          // At the final suspension point. done() means less: gcc sets it at co_return.
  bool started_inline = false;    // Its parent's await_suspend is still on the stack.

  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { pool_free(frame, bytes); }
};

/// What holds a frame: Coro derives from it.
struct CoroOwner {
  PromiseBase* promise = nullptr;
};

template <class P>
concept WeirPromise = std::derived_from<P, PromiseBase>;

/// What a task is parked on: one cancellable thing, in the awaitable (which lives in the coroutine's frame) or in what
/// it waits for. Cancelling a task at any depth of coroutines goes straight here.
struct Parked {
  /// What differs by the thing that is waited for.
  struct Kind {
    /// Ends the wait early and wakes the task. False if the task is woken already.
    bool (*cancel)(Parked&, const std::string& message);
    /// Takes the node out of everything that could still touch it; nobody will be resumed.
    void (*forget)(Parked&) noexcept;
  };
  explicit Parked(const Kind& its_kind) noexcept : kind(&its_kind) {}

  const Kind* kind;
  TaskBase* task = nullptr;
  PromiseBase* waiter = nullptr;  // The innermost coroutine.
  bool cancelled = false;         // await_resume() must throw CancelledError.
};

/// The task that runs now on this thread; null outside of one.
extern constinit thread_local TaskBase* current_task;

}  // namespace weir::detail
