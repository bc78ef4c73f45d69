// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <utility>

#include <weir/reactor/export.hpp>
#include <weir/reactor/task/awaitable.hpp>
#include <weir/reactor/task/done_listener.hpp>
#include <weir/reactor/task/ensure_future.hpp>
#include <weir/reactor/task/future.hpp>

namespace WEIR_API weir {

namespace detail {

/// The future that shield() returns: does as the inner one does, but is cancelled alone.
template <class T>
class ShieldState final : public FutureState<T> {
 public:
  static constexpr FutureKind future_kind = {
      "Future",
      [](FutureBase& base, const std::string& message) {
        const bool cancelled = base.settle_cancelled(message);
        // Who asked does not hear of the inner one any more; that one speaks for itself.
        if (cancelled) static_cast<ShieldState&>(base).listener_.reset();
        return cancelled;
      },
      [](FutureBase& base) noexcept { delete static_cast<ShieldState*>(&base); },
  };

  explicit ShieldState(Future<T> inner)
      : FutureState<T>(inner.get_loop(), future_kind), inner_(std::move(inner)) {
    listener_.emplace(inner_.state(), this, [](void* owner, DoneListener&) {
      static_cast<ShieldState*>(owner)->follow();
    });
    listener_->listen();
  }

 private:
  void follow() {
    FutureState<T>& inner = inner_.state();
    if (this->done()) return;
    if (inner.status == FutureBase::Status::cancelled) {
      this->settle_cancelled({});
      return;
    }
    try {
      if constexpr (std::is_void_v<T>) {
        inner.take_value();
        this->value.emplace();
      } else {
        this->value.emplace(inner.take_value());
      }
    } catch (...) {
      return this->settle_exception(std::current_exception());
    }
    this->settle(FutureBase::Status::finished);
  }

  Future<T> inner_;
  std::optional<DoneListener> listener_;
};

}  // namespace detail

/// Keeps a cancellation away from what it wraps: the outer future is cancelled, the inner one goes
/// on.
///
/// Shape     int n = co_await shield(commit(order));
/// Errors    What the awaitable throws. Its own cancellation cancels the outer future too.
///           RuntimeError "no running event loop", unless it is a future.
/// Lifetime  A coroutine becomes a task, which the loop keeps. Once the outer future is cancelled,
///           or dropped, a failure of the inner one is the inner one's to report.
/// Cost      One allocation, and a task for a coroutine. A future that is done is returned itself.
/// Source    CPython 3.13 tasks.py shield.
template <detail::Awaitable A>
[[nodiscard]] auto shield(A awaitable) {
  using T = detail::AwaitResult<A>;
  const Future<T> inner = ensure_future(std::move(awaitable));
  if (inner.done()) return inner;
  try {
    return Future<T>(new detail::ShieldState<T>(inner));
  } catch (...) {
    if constexpr (!detail::is_future<A>) inner.cancel();  // It has not begun.
    throw;
  }
}

}  // namespace weir
