// Internal: used by the probes. A coroutine type with nothing in it that a probe does not need.
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <new>
#include <string_view>
#include <utility>

/// What compilers do with coroutines, without weir: design rules rest on these.
///
/// A shape that every compiler gets right runs in the test itself, where the sanitizers see it. One
/// that would do damage runs in a child process, and the test states how it goes wrong there.
namespace probe {

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ == 12
inline constexpr bool is_gcc_12 = true;
#else
inline constexpr bool is_gcc_12 = false;
#endif
#if defined(__clang__)
inline constexpr bool is_clang = true;
#else
inline constexpr bool is_clang = false;
#endif

/// How a coroutine fared.
enum class Fate {
  ran,              // to its end, and everything in it was destroyed once
  misplaced,        // the compiler laid its frame out wrongly: see MisplacedFrame
  never_ran,        // resumed, but the body was not entered
  stuck,            // entered, but did not reach its end
  destroyed_twice,  // something in it was destroyed more often than made
  leaked,           // or less often
  crashed,          // a signal, or a sanitizer's report
};
doctest::String toString(Fate fate);  // For doctest's messages.

/// Counts its instances. Has no memory of its own, so that a second destruction only counts.
struct Tracked {
  static inline int alive = 0;
  Tracked() noexcept { ++alive; }
  Tracked(const Tracked&) noexcept { ++alive; }
  Tracked(Tracked&&) noexcept { ++alive; }
  Tracked& operator=(const Tracked&) noexcept = default;
  Tracked& operator=(Tracked&&) noexcept = default;
  ~Tracked() { --alive; }
};

/// Whether awaiters say that they are ready, or suspend and are resumed from outside.
enum class Mode { ready, suspending };
inline Mode mode = Mode::ready;
inline std::coroutine_handle<> suspended;

/// The frame does not begin where its memory does, so nothing in it may be touched any more. See
/// test_lazy_condition.cpp for what g++ 12 does there.
struct MisplacedFrame {};

/// A lazy coroutine, started by hand. `entered` says whether the first resume reached the body.
///
/// Errors    MisplacedFrame  out of the call that makes the coroutine.
class Lazy {
 public:
  struct promise_type {
    struct Start : std::suspend_always {
      promise_type* promise;
      explicit Start(promise_type* of) noexcept : promise(of) {}
      void await_resume() const noexcept { promise->entered = true; }
    };
    static void* operator new(std::size_t bytes) { return last_frame = ::operator new(bytes); }
    static void operator delete(void* frame) { ::operator delete(frame); }

    Lazy get_return_object() {
      const auto handle = std::coroutine_handle<promise_type>::from_promise(*this);
      // clang may leave operator new out, and then last_frame says nothing.
      if (!is_clang && handle.address() != last_frame) throw MisplacedFrame();
      return Lazy(handle);
    }
    Start initial_suspend() noexcept { return Start(this); }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() { finished = true; }
    void unhandled_exception() { error = std::current_exception(); }

    bool entered = false;
    bool finished = false;
    std::exception_ptr error;

   private:
    static inline void* last_frame = nullptr;
  };

  Lazy(Lazy&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Lazy& operator=(Lazy&&) = delete;
  ~Lazy() {
    if (handle_) handle_.destroy();
  }

  void start() const { handle_.resume(); }
  /// Starts it, and resumes it wherever it suspends.
  void run() const;
  const promise_type& promise() const { return handle_.promise(); }

 private:
  explicit Lazy(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

/// Gives a T, at once or after a suspension.
template <class T>
class Answer {
 public:
  explicit Answer(T value) : value_(std::move(value)) {}
  bool await_ready() const noexcept { return mode == Mode::ready; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { suspended = handle; }
  T await_resume() { return std::move(value_); }

 private:
  T value_;
};

/// Gives nothing; trivially destructible.
struct Pause {
  Pause() noexcept {}
  bool await_ready() const noexcept { return mode == Mode::ready; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { suspended = handle; }
  void await_resume() const noexcept {}
};

/// A coroutine, and how it reads.
struct Shape {
  std::string_view code;
  Lazy (*coroutine)();
};

using Maker = std::function<Lazy()>;

/// Runs what `make` makes, to its end, in both modes, in this process.
Fate fate_of(const Maker& make);
/// Destroys what `make` makes at its first suspension, in this process.
Fate fate_when_dropped(const Maker& make);
/// Calls `look` in a child process and brings its answer back; a child that dies has crashed.
Fate fate_in_child(const std::function<Fate()>& look);

}  // namespace probe
