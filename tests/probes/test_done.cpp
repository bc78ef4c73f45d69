// SPDX-License-Identifier: MIT
//
// What coroutine_handle::done() says on the way to the final suspension point. It should be true
// there and nowhere before; weir asks a flag of its own, which the final awaiter sets.

#include <doctest/doctest.h>

#include <coroutine>
#include <utility>

#include <tests/probes/probe.hpp>

namespace {

/// What could be seen at one moment.
struct Look {
  bool done = false;      // coroutine_handle::done()
  bool finished = false;  // A flag of our own.
  bool taken = false;
};

struct Looks {
  Look in_destructor;  // Of a local variable.
  Look in_return;      // return_void() or unhandled_exception()
  Look in_final;       // final_suspend()
};

/// A lazy coroutine that looks at itself when it ends.
class Watched {
 public:
  struct promise_type {
    struct End {
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> handle) const noexcept {
        handle.promise().finished = true;
      }
      void await_resume() const noexcept {}
    };
    Watched get_return_object() { return Watched(handle()); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    End final_suspend() noexcept {
      look(looks.in_final);
      return {};
    }
    void return_void() noexcept { look(looks.in_return); }
    void unhandled_exception() noexcept { look(looks.in_return); }

    std::coroutine_handle<promise_type> handle() noexcept {
      return std::coroutine_handle<promise_type>::from_promise(*this);
    }
    void look(Look& at) noexcept { at = {handle().done(), finished, true}; }

    Looks looks;
    bool finished = false;
  };

  Watched(Watched&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Watched& operator=(Watched&&) = delete;
  ~Watched() { handle_.destroy(); }

  promise_type& promise() const { return handle_.promise(); }
  void run() const { handle_.resume(); }

 private:
  explicit Watched(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

/// Looks when it is destroyed.
struct Local {
  explicit Local(Watched** whose) : watched(whose) {}
  Local(const Local&) = delete;
  Local& operator=(const Local&) = delete;
  ~Local() { (*watched)->promise().look((*watched)->promise().looks.in_destructor); }
  Watched** watched;
};

Watched ends(Watched** self, bool throws) {
  const Local local(self);
  if (throws) throw probe::MisplacedFrame();
  co_return;
}

Looks looks_of(bool throws) {
  Watched* self = nullptr;
  Watched watched = ends(&self, throws);
  self = &watched;
  watched.run();
  CHECK(watched.promise().finished);
  return watched.promise().looks;
}

}  // namespace

TEST_SUITE("probes/done") {
  TEST_CASE("B87: before the final suspension done() may be true, a flag of one's own is not") {
    for (const bool throws : {false, true}) {
      CAPTURE(throws);
      const Looks looks = looks_of(throws);
      for (const Look& look : {looks.in_destructor, looks.in_return, looks.in_final}) {
        CHECK(look.taken);
        CHECK_FALSE(look.finished);
      }
      CHECK_FALSE(looks.in_destructor.done);
      if (probe::is_gcc_12) CHECK(looks.in_final.done);
      if (probe::is_clang) CHECK_FALSE(looks.in_final.done);
    }
  }
}
