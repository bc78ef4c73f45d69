// Internal: used by task.hpp, timeouts.hpp, recovery.hpp and run_until_complete.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <utility>

#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>

namespace WEIR_API weir {
namespace detail {

template <class A>
decltype(auto) awaiter_of(A&& awaitable) {
  if constexpr (requires { std::forward<A>(awaitable).operator co_await(); }) {
    return std::forward<A>(awaitable).operator co_await();
  } else {
    return std::forward<A>(awaitable);
  }
}

/// What `co_await std::move(a)` gives.
template <class A>
using AwaitResult = std::remove_cvref_t<decltype(awaiter_of(std::declval<A>()).await_resume())>;

template <class A>
concept Awaitable = requires { typename AwaitResult<A>; };

template <class A>
inline constexpr bool is_future = false;
template <class A>
  requires requires(const A& a) { []<class T>(const Future<T>&) {}(a); }
inline constexpr bool is_future<A> = true;

/// The form of an awaitable that keeps alive what it waits for. The awaitables of streams are
/// {reader, n}, a raw pointer; kept for later, in a task or behind a time-out, they need the reader
/// to stay.
template <class A>
auto owning(A awaitable) {
  if constexpr (requires { awaitable.owning(); }) {
    return awaitable.owning();
  } else {
    return awaitable;
  }
}

/// Any awaitable as a Coro; a Coro as itself.
template <class A>
Coro<AwaitResult<A>> await_in_frame(A awaitable) {
  co_return co_await std::move(awaitable);
}
template <Awaitable A>
Coro<AwaitResult<A>> as_coro(A awaitable) {
  if constexpr (is_coro<A>) {
    return awaitable;
  } else {
    return await_in_frame(owning(std::move(awaitable)));
  }
}

}  // namespace detail
}  // namespace weir
