// Internal: used by echo.cpp.
// SPDX-License-Identifier: MIT
// Waiting as if there were nothing else to do: futures, and coroutines that await them.
#pragma once

#include <coroutine>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "loop.hpp"

// [future]
/// A value that is not there yet, and the coroutine that waits for it. Copies are the same future.
template <class T>
class Future {
 public:
  explicit Future(EventLoop& loop) : state_(std::make_shared<State>(loop)) {}

  bool done() const { return state_->value.has_value(); }

  /// Who waits is not resumed here but in the next pass: we may be deep inside somebody's callback.
  void set_result(T value) const {
    state_->value = std::move(value);
    if (const std::coroutine_handle<> waiter = state_->waiter) {
      state_->loop.call_soon([waiter] { waiter.resume(); });
    }
  }

  // These three are what `co_await future` calls.
  bool await_ready() const { return done(); }
  void await_suspend(std::coroutine_handle<> waiter) const { state_->waiter = waiter; }
  T await_resume() const { return std::move(*state_->value); }

 private:
  struct State {
    explicit State(EventLoop& its_loop) : loop(its_loop) {}
    EventLoop& loop;
    std::optional<T> value;
    std::coroutine_handle<> waiter;
  };
  std::shared_ptr<State> state_;
};
// [/future]

// [sleep]
class Sleep {
 public:
  Sleep(EventLoop& loop, Clock::duration delay) : loop_(loop), delay_(delay) {}

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const {
    loop_.call_later(delay_, [waiter] { waiter.resume(); });
  }
  void await_resume() const {}

 private:
  EventLoop& loop_;
  Clock::duration delay_;
};

/// co_await sleep(loop, 1s) goes on after a second.
inline Sleep sleep(EventLoop& loop, Clock::duration delay) { return Sleep(loop, delay); }
// [/sleep]

template <class T = void>
class Coro;

// [promise]
/// What every coroutine keeps beside its variables.
struct PromiseBase {
  std::coroutine_handle<> waiter;  // Who awaits this coroutine, and goes on when it has ended.
  std::exception_ptr error;

  struct WakeWaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      const std::coroutine_handle<> next = ended.promise().waiter;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }  // It begins when it is awaited.
  WakeWaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() { error = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Coro<T> get_return_object();
  void return_value(T result) { value = std::move(result); }
  T result() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Coro<void> get_return_object();
  void return_void() {}
  void result() {}
};
// [/promise]

// [coro]
/// What a coroutine returns. It runs when it is awaited, and its frame lives as long as this.
template <class T>
class Coro {
 public:
  using promise_type = Promise<T>;

  explicit Coro(std::coroutine_handle<promise_type> body) : body_(body) {}
  Coro(Coro&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  Coro& operator=(Coro&&) = delete;
  ~Coro() {
    if (body_) body_.destroy();
  }

  bool await_ready() const { return false; }
  /// Runs it until it ends or waits. False: it has ended, and who awaits it goes on at once.
  bool await_suspend(std::coroutine_handle<> waiter) const {
    body_.resume();
    if (body_.done()) return false;
    body_.promise().waiter = waiter;
    return true;
  }
  T await_resume() const {
    if (body_.promise().error) std::rethrow_exception(body_.promise().error);
    return body_.promise().result();
  }

 private:
  std::coroutine_handle<promise_type> body_;
};
// [/coro]

template <class T>
Coro<T> Promise<T>::get_return_object() {
  return Coro<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Coro<void> Promise<void>::get_return_object() {
  return Coro<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

// [task]
/// A coroutine that nobody awaits: it begins at once, and frees its frame when it ends.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

inline Detached run_task(Coro<> coro) {
  try {
    co_await coro;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "a task has failed: %s\n", error.what());
  }
}

/// Starts `coro` in the next pass. It runs on its own from there.
inline void create_task(EventLoop& loop, Coro<> coro) {
  const auto shared = std::make_shared<Coro<>>(std::move(coro));  // A Callback can be copied.
  loop.call_soon([shared] { run_task(std::move(*shared)); });
}
// [/task]
