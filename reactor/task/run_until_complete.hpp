// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/task.hpp>

namespace weir {

template <class Awaitable>
decltype(auto) EventLoop::run_until_complete(Awaitable&& awaitable) {
  using A = std::remove_cvref_t<Awaitable>;
  const auto future = [&] {
    if constexpr (detail::is_future<A>) {
      return awaitable;
    } else {
      return create_task(std::forward<Awaitable>(awaitable));
    }
  }();
  const DoneCallback stopper = future.add_done_callback([this](const auto&) { stop(); });
  struct Remove {  // Left by an exception out of a callback, the future must not stop a later run.
    const decltype(future)& its_future;
    const DoneCallback& its_stopper;
    ~Remove() { its_future.remove_done_callback(its_stopper); }
  } remove{future, stopper};
  run_forever();
  if (!future.done()) throw RuntimeError("Event loop stopped before Future completed.");
  auto& state = future.state();
  state.check_result();
  using T = detail::AwaitResult<A>;
  if constexpr (!std::is_void_v<T>) return T(std::move(*state.value));
}

}  // namespace weir
