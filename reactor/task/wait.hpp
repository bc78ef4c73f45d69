// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/awaitable.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future_base.hpp>

namespace WEIR_API weir {

/// When wait() returns.
enum class ReturnWhen {
  all_completed,
  first_completed,
  first_exception,  // Not a cancellation. As all_completed if none fails.
};

struct WaitOptions {
  std::optional<Delay> timeout = std::nullopt;
  ReturnWhen return_when = ReturnWhen::all_completed;
};
static_assert(std::is_trivially_destructible_v<WaitOptions>);  // docs/adr/0006-option-structs.md

/// What wait() returns: the same handles, each once, in the order they were given.
template <class F>
class WaitResult {
 public:
  WaitResult() = default;
  // Declared, so that this is no aggregate: see Outcome.
  WaitResult(WaitResult&&) noexcept = default;
  WaitResult(const WaitResult&) = default;
  WaitResult& operator=(WaitResult&&) noexcept = default;
  WaitResult& operator=(const WaitResult&) = default;
  ~WaitResult() = default;

  std::vector<F> done;
  std::vector<F> pending;
};

namespace detail {

void check_wait(bool nothing_given, ReturnWhen return_when);
/// Until what `options` say has happened to the futures, or the time is up.
Coro<> wait_until(std::vector<Ref<FutureBase>> futures, WaitOptions options);

template <class F>
Coro<WaitResult<F>> wait_and_sort(std::vector<F> futures, WaitOptions options) {
  std::vector<Ref<FutureBase>> states;
  for (const F& future : futures) states.emplace_back(&future.state());
  co_await wait_until(std::move(states), options);
  WaitResult<F> result;
  for (F& future : futures) {
    (future.done() ? result.done : result.pending).push_back(std::move(future));
  }
  co_return result;
}

}  // namespace detail

/// Waits for some or all of a range of futures or tasks. Neither cancels them, nor throws what they
/// threw, nor throws when the time is up.
///
/// Shape     WaitResult<Task<int>> result = co_await wait(tasks, {.timeout = 5s});
///           for (const Task<int>& task : result.pending) task.cancel();
/// Units     A timeout of zero or less still lets what is ready have its turn.
/// Errors    ValueError "Set of Tasks/Futures is empty.", "Invalid return_when value: 7".
///           CancelledError  from outside; the futures are left alone.
/// Lifetime  The wait keeps the futures.
/// Source    CPython 3.13 tasks.py wait.
template <std::ranges::input_range R>
auto wait(R&& futures, WaitOptions options = {}) {
  using F = std::ranges::range_value_t<R>;
  static_assert(detail::is_future<F>,
                "Passing coroutines is forbidden, use tasks explicitly: wait() takes a range of "
                "Task or Future");
  std::vector<F> given;
  for (const F& future : futures) {
    if (std::ranges::find(given, future) == given.end()) given.push_back(future);
  }
  detail::check_wait(given.empty(), options.return_when);
  return detail::wait_and_sort(std::move(given), options);
}

}  // namespace weir
