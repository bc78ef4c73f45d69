// SPDX-License-Identifier: MIT
//
// Exceptions out of each part of an awaiter, and out of a body: every compiler gets these right.

#include <doctest/doctest.h>

#include <exception>
#include <stdexcept>
#include <string>

#include <tests/probes/probe.hpp>

namespace {

using probe::Lazy;
using probe::Tracked;

enum class Where { ready, suspend, resume };

class Thrower {
 public:
  explicit Thrower(Where where) : where_(where) {}
  bool await_ready() const {
    throw_if(Where::ready, "ready");
    return where_ == Where::resume;
  }
  void await_suspend(std::coroutine_handle<>) const { throw_if(Where::suspend, "suspend"); }
  void await_resume() const { throw_if(Where::resume, "resume"); }

 private:
  void throw_if(Where where, const char* text) const {
    if (where_ == where) throw std::runtime_error(text);
  }
  Where where_;
  Tracked tracked_;
};

Lazy awaits_a_thrower(Where where) {
  Tracked tracked;
  co_await Thrower(where);
  static_cast<void>(tracked);
}

Lazy catches(Where where, std::string& caught) {
  Tracked tracked;
  try {
    co_await Thrower(where);
  } catch (const std::runtime_error& error) {
    caught = error.what();
  }
  static_cast<void>(tracked);
}

Lazy throws_before_awaiting(bool yes) {
  Tracked tracked;
  if (yes) throw std::runtime_error("body");
  co_await probe::Pause();
  static_cast<void>(tracked);
}

std::string text_of(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing";
}

const char* name_of(Where where) {
  constexpr const char* names[] = {"ready", "suspend", "resume"};
  return names[static_cast<int>(where)];
}

constexpr Where everywhere[] = {Where::ready, Where::suspend, Where::resume};

}  // namespace

TEST_SUITE("probes/throwing") {
  TEST_CASE("throwing: an awaiter's exception reaches the promise and all locals are destroyed") {
    for (const Where where : everywhere) {
      const int alive_before = Tracked::alive;
      {
        const Lazy lazy = awaits_a_thrower(where);
        lazy.run();
        CHECK(text_of(lazy.promise().error) == name_of(where));
        CHECK_FALSE(lazy.promise().finished);
      }
      CHECK(Tracked::alive == alive_before);
    }
  }

  TEST_CASE("throwing: the body can catch an awaiter's exception and go on") {
    for (const Where where : everywhere) {
      const int alive_before = Tracked::alive;
      std::string caught;
      {
        const Lazy lazy = catches(where, caught);
        lazy.run();
        CHECK(lazy.promise().finished);
      }
      CHECK(caught == name_of(where));
      CHECK(Tracked::alive == alive_before);
    }
  }

  TEST_CASE("throwing: an exception before the first await reaches the promise") {
    const Lazy lazy = throws_before_awaiting(true);
    lazy.run();
    CHECK(lazy.promise().entered);
    CHECK(text_of(lazy.promise().error) == "body");
  }
}
