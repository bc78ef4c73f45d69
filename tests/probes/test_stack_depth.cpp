// SPDX-License-Identifier: MIT
//
// Awaiting must not use up the stack, and no compiler may be trusted to make a tail call of a
// symmetric transfer: g++ does so at -O2 without sanitizers only. The cure is a trampoline: the
// task holds the next handle and resumes it from a loop. To spare most awaits the way through it,
// an awaited coroutine is started inline, up to a depth; only those beyond go to the loop.

#include <doctest/doctest.h>

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

namespace {

constexpr int many = 1'000'000;
constexpr std::size_t allowed_stack_bytes = std::size_t{64} * 1024;
constexpr int inline_depth = 32;

/// How far down the stack coroutines have been seen to run. __builtin_frame_address is the real
/// stack also where AddressSanitizer keeps local variables elsewhere.
class StackGauge {
 public:
  static void reset() {
    base_ = here();
    deepest_ = 0;
  }
  static void measure() {
    const std::uintptr_t at = here();
    deepest_ = std::max<std::size_t>(deepest_, base_ > at ? base_ - at : at - base_);
  }
  static std::size_t deepest_bytes() { return deepest_; }

 private:
  [[gnu::noinline]] static std::uintptr_t here() {
    return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  }
  static inline std::uintptr_t base_ = 0;
  static inline std::size_t deepest_ = 0;
};

/// The task: what it resumes next, and how deep inline starts stand.
std::coroutine_handle<> next_to_resume;
int depth = 0;
std::coroutine_handle<> parked;

void drive(std::coroutine_handle<> handle) {
  next_to_resume = handle;
  while (next_to_resume) {
    depth = 0;
    std::exchange(next_to_resume, {}).resume();
  }
}

class Coro {
 public:
  struct promise_type {
    struct Finish {
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> handle) const noexcept {
        promise_type& promise = handle.promise();
        promise.finished = true;
        if (!promise.started_inline) next_to_resume = promise.parent;
      }
      void await_resume() const noexcept {}
    };
    Coro get_return_object() {
      return Coro(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    Finish final_suspend() noexcept { return {}; }
    void return_value(int result) { value = result; }
    void unhandled_exception() { std::terminate(); }

    std::coroutine_handle<> parent;
    bool finished = false;
    bool started_inline = false;
    int value = 0;
  };
  using Handle = std::coroutine_handle<promise_type>;

  Coro(Coro&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Coro& operator=(Coro&&) = delete;
  ~Coro() {
    if (handle_) handle_.destroy();
  }

  class Awaiter {
   public:
    explicit Awaiter(Handle child) : child_(child) {}
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> parent) const {
      promise_type& promise = child_.promise();
      promise.parent = parent;
      if (depth >= inline_depth) {
        next_to_resume = child_;
        return true;
      }
      ++depth;
      promise.started_inline = true;
      child_.resume();
      promise.started_inline = false;
      --depth;
      return !promise.finished;  // False: the parent goes on at once.
    }
    int await_resume() const noexcept { return child_.promise().value; }

   private:
    Handle child_;
  };
  Awaiter operator co_await() && { return Awaiter(handle_); }

  void run() const { drive(handle_); }
  bool finished() const { return handle_.promise().finished; }
  int value() const { return handle_.promise().value; }

 private:
  explicit Coro(Handle handle) : handle_(handle) {}
  Handle handle_;
};

struct Park {
  Park() noexcept {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) const noexcept { parked = handle; }
  void await_resume() const noexcept { StackGauge::measure(); }
};

Coro leaf(int value) {
  StackGauge::measure();
  co_return value;
}

Coro looped(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await leaf(1);
  co_return sum;
}

Coro recursive(int count) {
  StackGauge::measure();
  if (count == 0) co_return 0;
  const int below = co_await recursive(count - 1);
  StackGauge::measure();
  co_return below + 1;
}

Coro recursive_over_a_park(int count) {
  if (count == 0) {
    co_await Park();
    co_return 0;
  }
  const int below = co_await recursive_over_a_park(count - 1);
  StackGauge::measure();
  co_return below + 1;
}

}  // namespace

TEST_SUITE("probes/stack_depth") {
  TEST_CASE("B78: a million awaits in a loop stay within 64 KiB") {
    StackGauge::reset();
    const Coro coro = looped(many);
    coro.run();
    CHECK(coro.finished());
    CHECK(coro.value() == many);
    CHECK(StackGauge::deepest_bytes() > 0);
    CHECK(StackGauge::deepest_bytes() <= allowed_stack_bytes);
  }

  TEST_CASE("stack depth: a million nested awaits stay within 64 KiB") {
    StackGauge::reset();
    const Coro coro = recursive(many);
    coro.run();
    CHECK(coro.finished());
    CHECK(coro.value() == many);
    CHECK(StackGauge::deepest_bytes() > 0);
    CHECK(StackGauge::deepest_bytes() <= allowed_stack_bytes);
  }

  TEST_CASE("stack depth: a million nested awaits that finish later stay within 64 KiB") {
    const Coro coro = recursive_over_a_park(many);
    coro.run();
    CHECK_FALSE(coro.finished());
    StackGauge::reset();
    drive(std::exchange(parked, {}));
    CHECK(coro.finished());
    CHECK(coro.value() == many);
    CHECK(StackGauge::deepest_bytes() > 0);
    CHECK(StackGauge::deepest_bytes() <= allowed_stack_bytes);
  }
}
