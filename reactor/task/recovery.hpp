// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <type_traits>
#include <utility>

#include <weir/reactor/export.hpp>
#include <weir/reactor/task/awaitable.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/outcome.hpp>

namespace WEIR_API weir {

// C++ cannot co_await in a catch block. These two take the place of Python's
// `try: … except: await …` and `try: … finally: await …`.

namespace detail {

template <class A>
Coro<Outcome<AwaitResult<A>>> await_outcome(A awaitable) {
  Outcome<AwaitResult<A>> outcome;
  try {
    if constexpr (std::is_void_v<AwaitResult<A>>) {
      co_await std::move(awaitable);
      outcome.set_value();
    } else {
      outcome.set_value(co_await std::move(awaitable));
    }
  } catch (...) {
    outcome.set_exception(std::current_exception());
  }
  co_return outcome;
}

// Not by await_outcome(): there might be no memory for its frame, and then no cleanup.
template <class A, class Cleanup>
Coro<AwaitResult<A>> await_finally(A awaitable, Cleanup cleanup) {
  Outcome<AwaitResult<A>> outcome;
  try {
    outcome.set_value(co_await std::move(awaitable));
  } catch (...) {
    outcome.set_exception(std::current_exception());
  }
  co_await std::move(cleanup);
  co_return std::move(outcome).value();
}

template <class A, class Cleanup>
  requires std::is_void_v<AwaitResult<A>>
Coro<> await_finally(A awaitable, Cleanup cleanup) {
  Outcome<> outcome;
  try {
    co_await std::move(awaitable);
    outcome.set_value();
  } catch (...) {
    outcome.set_exception(std::current_exception());
  }
  co_await std::move(cleanup);
  std::move(outcome).value();
}

}  // namespace detail

/// Awaits without throwing: the value or the exception, cancellation included.
///
/// Shape     Outcome<std::string> line = co_await outcome(wait_for(reader.readline(), 5s));
///           if (line.failed_with<TimeoutError>()) { co_await say_goodbye(writer); co_return; }
///           use(line.value());   // rethrows everything that was not handled
/// Lifetime  The awaitable is moved into a frame and keeps alive what it waits for.
/// Cost      One frame from the pool.
template <detail::Awaitable A>
auto outcome(A awaitable) {
  return detail::await_outcome(detail::owning(std::move(awaitable)));
}

/// Awaits `awaitable`, then `cleanup` whatever came of it, then returns or rethrows what came of
/// it.
///
/// Shape     co_await finally_(serve(reader, writer), say_goodbye(writer));
/// Errors    What the first one threw. If the cleanup throws, that instead, as in Python.
/// Cost      One frame from the pool. The cleanup, if it is a coroutine, has its frame before the
///           first one starts: it runs where there is no memory left, too.
template <detail::Awaitable A, detail::Awaitable Cleanup>
auto finally_(A awaitable, Cleanup cleanup) {
  return detail::await_finally(detail::owning(std::move(awaitable)),
                               detail::owning(std::move(cleanup)));
}

}  // namespace weir
