// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/reactor/export.hpp>
#include <weir/reactor/task/awaitable.hpp>
#include <weir/reactor/task/task.hpp>

namespace WEIR_API weir {

/// A future as itself, anything else as a task of the running loop.
///
/// Shape     Future<T> and Task<T> come back as they are; others give a Task<T>.
/// Errors    RuntimeError "no running event loop", unless it is a future.
/// Source    CPython tasks.py ensure_future.
template <detail::Awaitable A>
auto ensure_future(A awaitable) {
  if constexpr (detail::is_future<A>) {
    return awaitable;
  } else {
    return create_task(std::move(awaitable));
  }
}

namespace detail {

template <class R>
concept RangeOfAwaitables = std::ranges::input_range<R> && Awaitable<std::ranges::range_value_t<R>>;

/// The future that ensure_future() makes of an A.
template <class A>
using EnsuredFuture = decltype(ensure_future(std::declval<A>()));

/// A call that was to start several tasks has failed: those that it has started have not begun yet,
/// and never will. Futures that it was given are left alone.
template <class A, class Futures>
void cancel_started(const Futures& futures) {
  if constexpr (!is_future<A>) {
    for (const auto& future : futures) future.cancel();
  }
}

/// ensure_future() of each, in order. What a container that is given up holds is moved from.
template <RangeOfAwaitables R>
auto ensure_futures(R&& awaitables) {
  using A = std::ranges::range_value_t<R>;
  constexpr bool gives_up =
      !std::is_lvalue_reference_v<R> && !std::ranges::view<std::remove_cvref_t<R>>;
  std::vector<EnsuredFuture<A>> futures;
  try {
    for (auto&& awaitable : awaitables) {
      // First, so that no task is started that has no place.
      if (futures.size() == futures.capacity()) futures.reserve(2 * futures.size() + 4);
      if constexpr (gives_up) {
        futures.push_back(ensure_future(A(std::move(awaitable))));
      } else {
        futures.push_back(ensure_future(A(awaitable)));
      }
    }
  } catch (...) {
    cancel_started<A>(futures);
    throw;
  }
  return futures;
}

}  // namespace detail

}  // namespace weir
