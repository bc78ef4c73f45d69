// SPDX-License-Identifier: MIT
//
// How a promise can notice that g++ 12 misplaced its frame (test_lazy_condition.cpp says why).
//
//  * Early: operator new knows where the frame's memory begins, get_return_object() where the frame
//    does. If the two differ, an exception out of get_return_object() undoes all of it cleanly: the
//    compiler destroys promise and parameters and frees the memory, at the call of the coroutine.
//  * Late: initial_suspend()'s await_resume() runs right before the body, so a first resume that
//  did
//    not reach it lost the body. By then the resume has read and written behind the frame; with
//    AddressSanitizer it ends the program. So the early way it is.

#include <doctest/doctest.h>

#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include <tests/probes/probe.hpp>

namespace {

using probe::Answer;
using probe::Fate;
using probe::Lazy;
using probe::Mode;
using probe::Tracked;

Lazy awaits_in_a_condition(Tracked, int) {  // lint: shape on purpose
  if (co_await Answer(true)) co_return;
}
Lazy awaits(Tracked, int more) {
  const bool flag = co_await Answer(true);
  if (flag) ++more;
}
Lazy awaits_nothing(Tracked, int) { co_return; }
Lazy throws_at_once(Tracked, int more) {
  if (more == 0) throw std::runtime_error("on purpose");
  co_return;
}

/// Resumed without a look at its place. Zeros lie behind the frame, as they often do by chance.
struct Unchecked {
  struct promise_type {
    struct Start : std::suspend_always {
      void await_resume() const noexcept { entered = true; }
    };
    static void* operator new(std::size_t bytes) { return std::calloc(bytes + 64, 1); }
    static void operator delete(void* frame) { std::free(frame); }
    Unchecked get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    Start initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
  static inline bool entered = false;
};

Unchecked unchecked() {  // lint: shape on purpose
  if (co_await Answer(true)) co_return;
}

}  // namespace

TEST_SUITE("probes/never_ran") {
  TEST_CASE("never ran: a body that is entered sets the bit, however it goes on") {
    for (Lazy (*const coroutine)(Tracked, int) : {awaits, awaits_nothing, throws_at_once}) {
      for (const Mode mode : {Mode::ready, Mode::suspending}) {
        probe::mode = mode;
        const Lazy lazy = coroutine(Tracked(), 0);
        CHECK_FALSE(lazy.promise().entered);
        lazy.start();
        CHECK(lazy.promise().entered);
      }
    }
  }

  TEST_CASE("never ran: a misplaced frame is noticed at the call, and nothing of it is left") {
    const int alive_before = Tracked::alive;
    bool noticed = false;
    try {
      const Lazy lazy = awaits_in_a_condition(Tracked(), 0);
    } catch (const probe::MisplacedFrame&) {
      noticed = true;
    }
    if (probe::is_gcc_12) CHECK(noticed);
    if (probe::is_clang) CHECK_FALSE(noticed);
    CHECK(Tracked::alive == alive_before);
  }

  TEST_CASE("never ran: resumed all the same, with zeros behind it, it does not enter its body") {
    const Fate fate = probe::fate_in_child([] {
      probe::mode = Mode::ready;
      unchecked().handle.resume();  // Not destroyed: that would free the wrong address.
      return Unchecked::entered ? Fate::ran : Fate::never_ran;
    });
    if (probe::is_gcc_12) CHECK(fate == Fate::never_ran);
    if (probe::is_clang) CHECK(fate == Fate::ran);
    CHECK(fate != Fate::leaked);
  }
}
