// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <optional>
#include <ranges>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <weir/reactor/error.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/awaitable.hpp>
#include <weir/reactor/task/done_listener.hpp>
#include <weir/reactor/task/ensure_future.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/outcome.hpp>

namespace WEIR_API weir {

/// First argument of gather(): every failure is part of the result, none is thrown.
struct ReturnExceptions {};
inline constexpr ReturnExceptions return_exceptions;

namespace detail {

/// The part of a gather that does not depend on types: hears of the children, decides when the
/// outer future is done.
class Gathering {
 public:
  /// `collect`: every child is done; moves what came of them into the outer future's value. May
  /// throw.
  using Collect = void (*)(Gathering&);

  Gathering(FutureBase& outer, bool keeps_exceptions, Collect collect)
      : outer_(outer), collect_(collect), keeps_exceptions_(keeps_exceptions) {}
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

  /// ValueError if it belongs to another loop than the outer future.
  void add(FutureBase& child);
  /// All children are added. Those that are done count now, as since CPython 3.12.
  void begin();
  /// Cancels the children; the outer future is done when they are.
  bool cancel_children(const std::string& message);

 protected:
  ~Gathering() = default;

 private:
  void hear(FutureBase& child);
  void finish(const FutureBase& last);
  void fail(std::exception_ptr error);

  FutureBase& outer_;
  Collect collect_;
  std::deque<DoneListener> children_;  // A deque: they stay where they are.
  std::size_t finished_ = 0;
  bool keeps_exceptions_;
  bool cancel_requested_ = false;
};

/// CancelledError or the exception of a future that is done; null if it has a value. Counts as
/// having looked.
std::exception_ptr failure_of(FutureBase& done) noexcept;

/// What the result of gather() has for a T.
template <class T, bool keeps_exceptions>
using Gathered = std::conditional_t<keeps_exceptions, Outcome<T>,
                                    std::conditional_t<std::is_void_v<T>, std::monostate, T>>;

template <bool keeps_exceptions, class T>
Gathered<T, keeps_exceptions> gathered(const Future<T>& future) {
  FutureState<T>& state = future.state();
  if constexpr (keeps_exceptions) {
    Outcome<T> outcome;
    if (std::exception_ptr failure = failure_of(state)) {
      outcome.set_exception(std::move(failure));
    } else if constexpr (std::is_void_v<T>) {
      outcome.set_value();
    } else {
      outcome.set_value(state.take_value());
    }
    return outcome;
  } else if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return state.take_value();
  }
}

/// How the results of several futures become one: a tuple of different types, or a vector of the
/// same.
template <bool keeps_exceptions, class Futures>
struct Collector;
template <bool keeps_exceptions, class... Ts>
struct Collector<keeps_exceptions, std::tuple<Future<Ts>...>> {
  using Result = std::tuple<Gathered<Ts, keeps_exceptions>...>;
  static Result collect(const std::tuple<Future<Ts>...>& futures) {
    return std::apply(
        [](const auto&... each) { return Result{gathered<keeps_exceptions>(each)...}; }, futures);
  }
  static void for_each(const std::tuple<Future<Ts>...>& futures, auto visit) {
    std::apply([&](const auto&... each) { (visit(each.state()), ...); }, futures);
  }
};
template <bool keeps_exceptions, class F>
struct Collector<keeps_exceptions, std::vector<F>> {
  using T = AwaitResult<F>;
  static constexpr bool nothing = std::is_void_v<T> && !keeps_exceptions;
  using Result = std::conditional_t<nothing, void, std::vector<Gathered<T, keeps_exceptions>>>;
  static auto collect(const std::vector<F>& futures) {
    if constexpr (nothing) {
      return Nothing();
    } else {
      Result results;
      results.reserve(futures.size());
      for (const F& future : futures) results.push_back(gathered<keeps_exceptions>(future));
      return results;
    }
  }
  static void for_each(const std::vector<F>& futures, auto visit) {
    for (const F& future : futures) visit(future.state());
  }
};

/// The future that gather() returns.
template <bool keeps_exceptions, class Futures>
class GatherState final : public FutureState<typename Collector<keeps_exceptions, Futures>::Result>,
                          Gathering {
  using Collecting = Collector<keeps_exceptions, Futures>;

 public:
  using Result = typename Collecting::Result;
  static constexpr FutureKind future_kind = {
      "_GatheringFuture",
      [](FutureBase& base, const std::string& message) {
        return static_cast<GatherState&>(base).cancel_children(message);
      },
      [](FutureBase& base) noexcept { delete static_cast<GatherState*>(&base); },
  };

  GatherState(EventLoop& loop, Futures futures)
      : FutureState<Result>(loop, future_kind),
        Gathering(*this, keeps_exceptions, collect),
        futures_(std::move(futures)) {}

  static Future<Result> start(EventLoop& loop, Futures futures) {
    auto* state = new GatherState(loop, std::move(futures));
    Future<Result> outer(state);
    Collecting::for_each(state->futures_, [&](FutureBase& child) { state->add(child); });
    state->begin();
    return outer;
  }

 private:
  static void collect(Gathering& base) {
    auto& self = static_cast<GatherState&>(base);
    self.value.emplace(Collecting::collect(self.futures_));
  }

  Futures futures_;
};

/// A future of gather's arguments; a task that it has started never begins unless it is kept.
template <class A>
class GatherArgument {
 public:
  explicit GatherArgument(A awaitable) : future_(ensure_future(std::move(awaitable))) {}
  GatherArgument(const GatherArgument&) = delete;
  GatherArgument& operator=(const GatherArgument&) = delete;
  ~GatherArgument() {
    if constexpr (!is_future<A>) {
      if (!kept_) future_.cancel();
    }
  }
  const Future<AwaitResult<A>>& future() const noexcept { return future_; }
  void keep() noexcept { kept_ = true; }

 private:
  Future<AwaitResult<A>> future_;
  bool kept_ = false;
};

template <bool keeps_exceptions, class... As>
auto gather_started(GatherArgument<As>&&... arguments) {
  using Futures = std::tuple<Future<AwaitResult<As>>...>;
  Futures futures{arguments.future()...};
  if constexpr (sizeof...(As) == 0) {
    return GatherState<keeps_exceptions, Futures>::start(get_running_loop(), futures);
  } else {
    EventLoop& loop = std::get<0>(futures).get_loop();
    auto outer = GatherState<keeps_exceptions, Futures>::start(loop, std::move(futures));
    (arguments.keep(), ...);
    return outer;
  }
}

template <bool keeps_exceptions, class... As>
auto gather_each(As... awaitables) {
  // A fold: the tasks start in the order of the arguments.
  std::tuple<std::optional<GatherArgument<As>>...> arguments;
  return std::apply(
      [&](auto&... argument) {
        (argument.emplace(std::move(awaitables)), ...);
        return gather_started<keeps_exceptions, As...>(*std::move(argument)...);
      },
      arguments);
}

template <bool keeps_exceptions, class R>
auto gather_range(R&& awaitables) {
  auto futures = ensure_futures(std::forward<R>(awaitables));
  EventLoop& loop = futures.empty() ? get_running_loop() : futures.front().get_loop();
  try {
    return GatherState<keeps_exceptions, decltype(futures)>::start(loop, futures);
  } catch (...) {
    cancel_started<std::ranges::range_value_t<R>>(futures);
    throw;
  }
}

}  // namespace detail

/// Runs awaitables side by side; a Future of all their results, in the order of the arguments.
///
/// Shape     std::tuple<int, std::string> both = co_await gather(count(), name());
///           std::vector<int> all = co_await gather(std::move(coroutines));
///           auto each = co_await gather(return_exceptions, a(), b());  // tuple of Outcome
///           Coroutines become tasks; futures and tasks are shared. Where an awaitable returns
///           nothing, a tuple has std::monostate; a range of those gives nothing. No arguments: a
///           future that is done.
/// Errors    The first exception, as soon as it is there; the others go on, and their exceptions
///           are dropped. A child that was cancelled counts as CancelledError.
///           CancelledError  after cancel(): that cancels the children, and is an exception here:
///           cancelled() stays false. With return_exceptions too.
///           ValueError "The future belongs to a different loop than the one specified as the loop
///           argument". RuntimeError "no running event loop", if there is no future among them.
/// Threads   The loop's thread.
/// Lifetime  Keeps the children. Dropped before they are done, it lets them go on, and each
///           reports its own failure.
/// Cost      A task for each coroutine, one allocation for the rest. A result that can be copied
///           is.
/// Source    CPython 3.12 tasks.py gather.
template <detail::Awaitable... As>
[[nodiscard]] auto gather(As... awaitables) {
  return detail::gather_each<false>(std::move(awaitables)...);
}
template <detail::RangeOfAwaitables R>
[[nodiscard]] auto gather(R&& awaitables) {
  return detail::gather_range<false>(std::forward<R>(awaitables));
}
template <detail::Awaitable... As>
[[nodiscard]] auto gather(ReturnExceptions, As... awaitables) {
  return detail::gather_each<true>(std::move(awaitables)...);
}
template <detail::RangeOfAwaitables R>
[[nodiscard]] auto gather(ReturnExceptions, R&& awaitables) {
  return detail::gather_range<true>(std::forward<R>(awaitables));
}

}  // namespace weir
