// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <weir/reactor/callback.hpp>

using weir::Callback;

namespace {

int plain_calls = 0;
int plain_function() { return ++plain_calls; }

/// Counts its lives: copies and moves add one each, destructors take one away.
struct Life {
  explicit Life(int& its_alive, int& its_calls) : alive(&its_alive), calls(&its_calls) { ++*alive; }
  Life(const Life& other) : alive(other.alive), calls(other.calls) { ++*alive; }
  Life(Life&& other) noexcept : alive(other.alive), calls(other.calls) { ++*alive; }
  Life& operator=(const Life&) = delete;
  ~Life() { --*alive; }
  void operator()() const { ++*calls; }
  int* alive;
  int* calls;
};

/// Too large to live inside.
struct LargeLife : Life {
  using Life::Life;
  std::array<std::byte, Callback::inline_bytes> ballast{};
};

/// A move that may throw must not happen inside a noexcept move of Callback.
struct ThrowingMove : Life {
  using Life::Life;
  ThrowingMove(const ThrowingMove&) = default;
  ThrowingMove(ThrowingMove&& other) noexcept(false) : Life(other) { ++moves; }
  static inline int moves = 0;
};

template <class Callable>
void check_one_life() {
  int alive = 0;
  int calls = 0;
  {
    Callback first = Callable(alive, calls);
    CHECK(alive == 1);
    Callback second = std::move(first);
    CHECK(alive == 1);
    CHECK_FALSE(static_cast<bool>(first));  // NOLINT(bugprone-use-after-move)
    second();
    second();
    CHECK(calls == 2);
    Callback third;
    third = std::move(second);
    third();
    CHECK(calls == 3);
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

}  // namespace

TEST_SUITE_BEGIN("reactor/callback");

TEST_CASE("Callback: a small callable lives once, through every move") { check_one_life<Life>(); }

TEST_CASE("Callback: a large callable lives once, through every move") {
  check_one_life<LargeLife>();
}

TEST_CASE("Callback: a callable whose move may throw stays where it is, through every move") {
  ThrowingMove::moves = 0;
  check_one_life<ThrowingMove>();
  CHECK(ThrowingMove::moves == 1);  // Into the callback.
}

TEST_CASE("Callback: 48 bytes of captures do not leave the object") {
  std::array<char, Callback::inline_bytes - sizeof(void*)> captured{};
  const void* seen = nullptr;
  Callback callback = [captured, &seen] { seen = captured.data(); };
  callback();
  const std::less_equal<const void*> not_after;
  CHECK(not_after(&callback, seen));
  CHECK(not_after(seen, &callback + 1));
}

TEST_CASE("Callback: one byte more goes to the heap, and stays where it is when moved") {
  std::array<char, Callback::inline_bytes - sizeof(void*) + 1> captured{};
  const void* seen = nullptr;
  Callback callback = [captured, &seen] { seen = captured.data(); };
  callback();
  const void* const before = seen;
  Callback moved = std::move(callback);
  moved();
  CHECK(seen == before);
}

TEST_CASE("Callback: takes what can only be moved") {
  auto value = std::make_unique<int>(41);
  int seen = 0;
  Callback callback = [value = std::move(value), &seen] { seen = ++*value; };
  callback();
  CHECK(seen == 42);
  static_assert(!std::is_copy_constructible_v<Callback>);
  static_assert(std::is_nothrow_move_constructible_v<Callback>);
}

TEST_CASE("Callback: takes a function, and throws its result away") {
  plain_calls = 0;
  Callback callback = plain_function;
  callback();
  CHECK(plain_calls == 1);
}

TEST_CASE("Callback: nothing to call makes an empty one") {
  CHECK_FALSE(static_cast<bool>(Callback()));
  CHECK_FALSE(static_cast<bool>(Callback(nullptr)));
  CHECK_FALSE(static_cast<bool>(Callback(std::function<void()>())));
  void (*no_function)() = nullptr;
  CHECK_FALSE(static_cast<bool>(Callback(no_function)));
  CHECK(static_cast<bool>(Callback(std::function<void()>(plain_function))));
  CHECK(static_cast<bool>(Callback([] {})));
}

TEST_CASE("Callback: reset destroys the callable at once, and only once") {
  int alive = 0;
  int calls = 0;
  Callback callback = Life(alive, calls);
  callback.reset();
  CHECK(alive == 0);
  CHECK_FALSE(static_cast<bool>(callback));
  callback.reset();
  CHECK(alive == 0);
}

TEST_CASE("Callback: assignment destroys what was there before") {
  int alive = 0;
  int calls = 0;
  Callback callback = Life(alive, calls);
  callback = Callback([] {});
  CHECK(alive == 0);
}

TEST_CASE("Callback: moving it onto itself keeps it") {
  int alive = 0;
  int calls = 0;
  Callback callback = Life(alive, calls);
  Callback& same = callback;
  callback = std::move(same);
  callback();
  CHECK(calls == 1);
  CHECK(alive == 1);
}

TEST_CASE("Callback: an exception passes through the call") {
  Callback callback = [] { throw 42; };
  CHECK_THROWS_AS(callback(), int);
  CHECK(static_cast<bool>(callback));
}

TEST_SUITE_END();
