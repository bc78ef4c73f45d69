// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/task.hpp>

namespace WEIR_API weir {

namespace detail {

/// Stops the loop when the last of `left` futures is done. Destroyed before that, it leaves nothing
/// behind, neither in the future nor in the ready queue, that could stop a later run.
class StopWhenDone final : public FutureWaiter {
 public:
  StopWhenDone(EventLoop& loop, std::size_t& left) noexcept
      : FutureWaiter(stop_kind), loop_(loop), left_(left) {}
  StopWhenDone(const StopWhenDone&) = delete;
  StopWhenDone& operator=(const StopWhenDone&) = delete;
  ~StopWhenDone() {
    if (position != 0) loop_.ready().remove(*this);
  }

 private:
  static const RunnableKind stop_kind;

  EventLoop& loop_;
  std::size_t& left_;
};

inline const RunnableKind StopWhenDone::stop_kind = {
    [](Runnable& runnable) {
      auto& self = static_cast<StopWhenDone&>(static_cast<FutureWaiter&>(runnable));
      if (--self.left_ == 0) self.loop_.stop();
    },
    [](const Runnable&) { return std::string("<end of a run>"); },
};

/// What run_forever() would refuse is refused before a coroutine becomes a task, which would run
/// later, unobserved.
inline void refuse_nested_run(const EventLoop& loop) {
  if (loop.is_running() || running_loop == &loop) {
    throw RuntimeError("This event loop is already running");
  }
  if (running_loop != nullptr) {
    throw RuntimeError("Cannot run the event loop while another loop is running");
  }
}

/// By value: the caller's handle may be given another future meanwhile.
template <class T>
T run_until_done(EventLoop& loop, Future<T> future) {
  FutureState<T>& state = future.state();
  std::size_t left = 1;
  StopWhenDone stopper(loop, left);
  state.add_waiter(stopper);
  try {
    loop.run_forever();
  } catch (...) {
    state.seen_if_thrown(std::current_exception());
    throw;
  }
  if (!state.done()) throw RuntimeError("Event loop stopped before Future completed.");
  return state.take_value();
}

}  // namespace detail

template <class Awaitable>
decltype(auto) EventLoop::run_until_complete(Awaitable&& awaitable) {
  using A = std::remove_cvref_t<Awaitable>;
  check_closed();
  detail::refuse_nested_run(*this);
  if constexpr (detail::is_future<A>) {
    if (awaitable.state().token != token_) {
      throw ValueError(
          "The future belongs to a different loop than the one specified as the loop argument");
    }
    return detail::run_until_done<detail::AwaitResult<A>>(*this, awaitable);
  } else {
    return detail::run_until_done<detail::AwaitResult<A>>(
        *this, create_task(std::forward<Awaitable>(awaitable)));
  }
}

}  // namespace weir
