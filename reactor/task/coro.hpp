// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/outcome.hpp>
#include <weir/reactor/task/promise.hpp>
#include <weir/reactor/task/task_base.hpp>

namespace WEIR_API weir {

template <class T>
class Coro;

namespace detail {

class CoroAccess;

/// Hands the parent to the trampoline, unless the parent is on the stack below and looks by itself.
struct FinalSuspend {
  bool await_ready() const noexcept { return false; }
  template <WeirPromise P>
  void await_suspend(std::coroutine_handle<P> finished) const noexcept {
    PromiseBase& promise = finished.promise();
    promise.finished = true;
    if (!promise.started_inline) current_task->resume_next(promise.parent);
  }
  void await_resume() const noexcept {}
};

template <class T>
struct CoroPromise : PromiseBase {
  Coro<T> get_return_object();
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalSuspend final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { outcome.set_exception(std::current_exception()); }
  template <class U = T>
    requires std::is_convertible_v<U&&, T>
  void return_value(U&& value) {
    outcome.set_value(std::forward<U>(value));
  }
  Outcome<T> outcome;
};

template <>
struct CoroPromise<void> : PromiseBase {
  Coro<void> get_return_object();
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalSuspend final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { outcome.set_exception(std::current_exception()); }
  void return_void() const noexcept {}
  /// Asked for only once the coroutine has ended: then it has returned, or this is why not.
  struct Ended {
    void set_exception(std::exception_ptr its) noexcept { error = std::move(its); }
    const std::exception_ptr& exception() const noexcept { return error; }
    void value() const {
      if (error) std::rethrow_exception(error);
    }
    std::exception_ptr error;
  };
  Ended outcome;
};

}  // namespace detail

/// A lazy coroutine, as Python's `async def` makes one: nothing runs until it is awaited, or given
/// to create_task().
///
/// Shape     Coro<int> f(StreamReader reader) { … co_return 1; }   int n = co_await f(reader);
///           Parameters are taken by value: they live in the frame. Coro<> returns nothing. T is an
///           object type.
/// Errors    co_await rethrows what the body threw. RuntimeError "cannot reuse already awaited
///           coroutine", "coroutine is being awaited already".
///           Calling the coroutine throws RuntimeError where the compiler would drop its body.
///           g++ 12 does that, without a warning, to a coroutine that declares no local variable
///           and has a co_await in a condition; declare one, or put the declaration into the
///           condition: while (auto line = co_await reader.next_line()).
/// Threads   The loop's thread. Awaited by coroutines of this type only.
/// Lifetime  Move-only; owns its frame. Destroyed before it has finished, it takes what it awaits
///           with it.
/// Cost      One frame from the pool. Awaiting it is a call, no pass of the loop: 32 deep on the
///           stack, further calls through the task's trampoline, so recursion of any depth uses a
///           bounded stack.
/// Source    CPython coroutines; design in docs/adr/0008-trampoline.md.
template <class T = void>
class [[nodiscard]] Coro : private detail::CoroOwner {
  static_assert(std::is_void_v<T> || std::is_object_v<T>,
                "a Coro returns a value: return a pointer, not a reference");

 public:
  using promise_type = detail::CoroPromise<T>;

  Coro(Coro&& other) noexcept { take(other); }
  Coro& operator=(Coro&& other) noexcept {
    if (this != &other) {
      destroy();
      take(other);
    }
    return *this;
  }
  Coro(const Coro&) = delete;
  Coro& operator=(const Coro&) = delete;
  ~Coro() { destroy(); }

  /// What co_await builds. Awaiting ends the Coro: it can be awaited once.
  class Awaiter {
   public:
    explicit Awaiter(promise_type* promise) noexcept : promise_(promise) {}
    bool await_ready() const noexcept { return false; }

    template <detail::WeirPromise P>
    bool await_suspend(std::coroutine_handle<P> parent,
                       std::source_location at = std::source_location::current()) {
      detail::PromiseBase::claim(promise_);
      if (!detail::current_task->start_child(*promise_, parent.promise())) return false;
      parent.promise().awaits_at = at;
      return true;
    }

    T await_resume() { return std::move(promise_->outcome).value(); }

   private:
    promise_type* promise_;
  };
  Awaiter operator co_await() && noexcept { return Awaiter(typed()); }

 private:
  friend class detail::CoroAccess;
  friend promise_type;
  explicit Coro(promise_type& its) noexcept {
    promise = &its;
    its.owner = this;
  }
  promise_type* typed() const noexcept { return static_cast<promise_type*>(promise); }
  void take(Coro& other) noexcept {
    promise = std::exchange(other.promise, nullptr);
    if (promise != nullptr) promise->owner = this;
  }
  void destroy() noexcept {
    if (promise != nullptr) std::exchange(promise, nullptr)->self.destroy();
  }
};

namespace detail {

/// What tasks may do with a Coro: look at its promise, and destroy its frame before the Coro itself
/// goes.
class CoroAccess {
 public:
  /// Null if it was moved from.
  template <class T>
  static CoroPromise<T>* promise(Coro<T>& coro) noexcept {
    return coro.typed();
  }
  template <class T>
  static void destroy(Coro<T>& coro) noexcept {
    coro.destroy();
  }
};

template <class T>
Coro<T> CoroPromise<T>::get_return_object() {
  found_at(std::coroutine_handle<CoroPromise>::from_promise(*this));
  return Coro<T>(*this);
}
inline Coro<void> CoroPromise<void>::get_return_object() {
  found_at(std::coroutine_handle<CoroPromise>::from_promise(*this));
  return Coro<void>(*this);
}

template <class A>
inline constexpr bool is_coro = false;
template <class T>
inline constexpr bool is_coro<Coro<T>> = true;

}  // namespace detail
}  // namespace weir
