// Internal: used by coro.hpp, task.hpp and every awaitable.
// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <utility>

#include <weir/reactor/export.hpp>
#include <weir/reactor/pool.hpp>

namespace WEIR_API weir {
namespace detail {

struct CoroOwner;
struct PromiseBase;
class TaskBase;

/// The memory of the frame that is being made on this thread: operator new leaves it for
/// get_return_object(), which takes it.
///
/// Initial-exec: found at a fixed distance from the thread's own register. Code that may stand in a
/// shared library calls a function for it otherwise, or is made ready to, and saves its registers:
/// 12 instructions more in each await that waits, and as many where it is resumed.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local void* frame_in_the_making;

/// Throws RuntimeError that says which shape of code the compiler dropped, and what to write.
[[noreturn]] void throw_dropped_body();
/// Throws RuntimeError, in Python's words: `promise` is null (moved from), or was started before.
[[noreturn]] void throw_already_awaited(const PromiseBase* promise);

/// The part of every Coro's promise that does not depend on its type: who waits for it, and how far
/// it got.
struct PromiseBase {
  PromiseBase() = default;
  PromiseBase(const PromiseBase&) = delete;
  PromiseBase& operator=(const PromiseBase&) = delete;

  std::coroutine_handle<> self;
  PromiseBase* parent = nullptr;   // Who awaits this one; null for a task's outermost.
  CoroOwner* owner = nullptr;      // The object whose destructor would destroy the frame.
  std::source_location awaits_at;  // While it is suspended: the co_await (call_graph.hpp).
  bool started = false;            // Awaited, or given to a task.
  bool finished = false;           // At the final suspension point; g++ has done() true before it.
  bool started_inline = false;     // Its parent's await_suspend is still on the stack.

  /// Whoever starts it says so first; nobody can a second time.
  static void claim(PromiseBase* promise) {
    if (promise == nullptr || promise->started) [[unlikely]]
      throw_already_awaited(promise);
    promise->started = true;
  }

  /// Keeps the handle, or throws if the frame is not where the handle says. g++ 12 lays out some
  /// frames with a field before what the handle points to; resuming such a frame reads its state
  /// from behind its memory, and most often skips the body. Told apart by where operator new put
  /// the frame: never inside another live one, and always at the start of its own. What comes
  /// between the two, copying the parameters, may make other frames; then there is no check.
  void found_at(std::coroutine_handle<> handle) {
    const auto memory =
        reinterpret_cast<std::uintptr_t>(std::exchange(frame_in_the_making, nullptr));
    const auto address = reinterpret_cast<std::uintptr_t>(handle.address());
    if (address > memory && address - memory < sizeof(PromiseBase)) [[unlikely]]
      throw_dropped_body();
    self = handle;
  }

  static void* operator new(std::size_t bytes) {
    return frame_in_the_making = pool_allocate(bytes);
  }
  static void operator delete(void* frame, std::size_t bytes) noexcept { pool_free(frame, bytes); }
};

/// What holds a frame: Coro derives from it.
struct CoroOwner {
  PromiseBase* promise = nullptr;
};

// Awaitables of weir take the place of the co_await as a default argument of await_suspend(): an
// await that does not suspend then pays nothing for it, one that does stores a pointer.
template <class P>
concept WeirPromise = std::derived_from<P, PromiseBase>;

/// What a task is parked on: one cancellable thing, in the awaitable (which lives in the
/// coroutine's frame) or in what it waits for. Cancelling a task at any depth of coroutines goes
/// straight here.
struct Parked {
  /// What differs by the thing that is waited for.
  struct Kind {
    /// Ends the wait early and wakes the task. False if the task is woken already.
    bool (*cancel)(Parked&, const std::string& message);
    /// Takes the node out of everything that could still touch it; nobody will be resumed.
    void (*forget)(Parked&) noexcept;
    /// The task that is waited for, and cancelled in this one's place; null if there is none.
    TaskBase* (*awaited_task)(Parked&) noexcept = nullptr;
    /// What is waited for, for people: "readuntil() of fd 7". Runs none of the user's code.
    std::string (*describe)(const Parked&) = nullptr;
  };
  explicit Parked(const Kind& its_kind) noexcept : kind(&its_kind) {}

  const Kind* kind;
  TaskBase* task = nullptr;
  PromiseBase* waiter = nullptr;  // The innermost coroutine.
  bool cancelled = false;         // await_resume() must throw CancelledError.
};

/// The task that runs now on this thread; null outside of one.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local TaskBase* current_task;

}  // namespace detail
}  // namespace weir
