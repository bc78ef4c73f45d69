// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/ref.hpp>
#include <weir/reactor/task/awaitable.hpp>
#include <weir/reactor/task/completions.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/ensure_future.hpp>

namespace WEIR_API weir {

struct AsCompletedOptions {
  std::optional<Delay> timeout = std::nullopt;
};
static_assert(std::is_trivially_destructible_v<AsCompletedOptions>);

/// What as_completed() returns: futures in the order in which they end. A handle.
template <class F>
class AsCompleted {
  using Value = detail::AwaitResult<F>;

 public:
  AsCompleted(std::vector<F> futures, std::optional<Duration> timeout) : state_(new State) {
    std::vector<F>& kept = state_->futures = std::move(futures);
    state_->completions.reserve(kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) state_->completions.add(kept[i].state(), i);
    if (timeout && !kept.empty()) state_->completions.set_timeout(kept[0].get_loop(), *timeout);
  }

  /// Waits for the next one that ends, and returns its handle; nothing once all have been handed
  /// out.
  ///
  /// Shape     while (auto task = co_await results.next()) use(task->result());
  /// Errors    TimeoutError  the time was up before it ended; so for every one that is left.
  ///           CancelledError  none is handed out; the next call has its turn.
  Coro<std::optional<F>> next() const { return next_of(state_); }

  /// Walks over as many awaitables as there are futures. Each gives the result of the next one that
  /// ends, or throws what that one threw, or TimeoutError.
  ///
  /// Errors    RuntimeError "every result was handed out": next() has had them.
  class iterator {
   public:
    using value_type = Coro<Value>;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    iterator(const AsCompleted* all, std::size_t at) noexcept : all_(all), at_(at) {}
    Coro<Value> operator*() const {
      if (!all_->state_->completions.claim()) throw RuntimeError("every result was handed out");
      return value_of(all_->state_);
    }
    iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    void operator++(int) noexcept { ++at_; }
    friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.at_ == b.at_; }

   private:
    const AsCompleted* all_ = nullptr;
    std::size_t at_ = 0;
  };
  iterator begin() const noexcept { return iterator(this, 0); }
  iterator end() const noexcept { return iterator(this, size()); }
  std::size_t size() const noexcept { return state_->futures.size(); }

 private:
  struct State : detail::Counted<State> {
    void destroy() noexcept { delete this; }
    std::vector<F> futures;
    detail::Completions completions;
  };
  using Kept = detail::Ref<State>;  // The frames keep what they wait for.

  static Coro<std::optional<F>> next_of(Kept state) {
    if (!state->completions.claim()) co_return std::nullopt;
    std::size_t index = 0;
    try {
      index = co_await detail::next_completion(&state->completions);
    } catch (const CancelledError&) {
      state->completions.unclaim();
      throw;
    }
    co_return state->futures[index];
  }
  static Coro<Value> value_of(Kept state) {
    const std::size_t index = co_await detail::next_completion(&state->completions);
    co_return co_await state->futures[index];
  }

  Kept state_;
};

/// Runs awaitables side by side, and hands out their results in the order in which they end.
///
/// Shape     AsCompleted results = as_completed(std::move(coroutines), {.timeout = 5s});
///           while (auto task = co_await results.next()) use(task->result());
///           for (Coro<int> each : results) use(co_await std::move(each));
///           Coroutines become tasks; a future that is given twice is handed out once.
/// Errors    RuntimeError "no running event loop", if they are not futures. TimeoutError from
///           next() and from the awaitables; what has not ended is not cancelled.
/// Lifetime  Dropped, it lets them go on.
/// Cost      A task for each coroutine. Awaiting each result takes O(1).
/// Source    CPython 3.13 tasks.py as_completed.
template <detail::RangeOfAwaitables R>
[[nodiscard]] auto as_completed(R&& awaitables, AsCompletedOptions options = {}) {
  auto futures = detail::ensure_futures(std::forward<R>(awaitables));
  using F = typename decltype(futures)::value_type;
  std::vector<F> each;
  for (F& future : futures) {
    if (std::ranges::find(each, future) == each.end()) each.push_back(std::move(future));
  }
  return AsCompleted<F>(std::move(each),
                        options.timeout ? std::optional(options.timeout->value()) : std::nullopt);
}

}  // namespace weir
