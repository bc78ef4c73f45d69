// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <source_location>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <weir/reactor/callback.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/future_base.hpp>
#include <weir/reactor/task/outcome.hpp>
#include <weir/reactor/task/promise.hpp>
#include <weir/reactor/task/task_base.hpp>

namespace WEIR_API weir {

template <class T>
class Future;

namespace detail {

/// Whether T can be copied, asked of what it holds too: std::vector<std::unique_ptr<X>> says that
/// it can, and then does not compile. A class of the user's with such a member deletes its copy
/// constructor.
template <class T>
inline constexpr bool copies = std::is_copy_constructible_v<T>;
template <class T>
  requires requires { typename T::value_type; }
inline constexpr bool copies<T> =
    std::is_copy_constructible_v<T> &&
    (std::is_same_v<typename T::value_type, T> || copies<typename T::value_type>);
template <class... Ts>
inline constexpr bool copies<std::tuple<Ts...>> = (copies<Ts> && ...);
template <class A, class B>
inline constexpr bool copies<std::pair<A, B>> = copies<A> && copies<B>;

/// The value of a Future<>, which is there once it is done: takes no room.
struct NoValue : Nothing {
  void emplace(Nothing = {}) noexcept {}
  void reset() noexcept {}
  explicit operator bool() const noexcept { return true; }
  const Nothing& operator*() const noexcept { return *this; }
};

/// A future's state with room for its value.
template <class T>
struct FutureState : FutureBase {
  using FutureBase::FutureBase;

  /// The value, or throws what result() throws.
  const Stored<T>& checked_value() {
    check_result();
    if (!value) throw InvalidStateError("Result was already taken: it can only be moved, once.");
    return *value;
  }
  /// What an await gets: a copy; of what can only be moved the value itself, once.
  T take_value() {
    checked_value();
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (copies<T>) {
      return *value;
    } else {
      T taken = std::move(*value);
      value.reset();
      return taken;
    }
  }

  [[no_unique_address]] std::conditional_t<std::is_void_v<T>, NoValue, std::optional<T>> value;
};

/// A plain future: one that somebody else completes.
template <class T>
struct PlainFutureState final : FutureState<T> {
  static constexpr FutureKind future_kind = {
      "Future",
      cancel_plain_future,
      [](FutureBase& base) noexcept { delete static_cast<PlainFutureState*>(&base); },
  };
  explicit PlainFutureState(EventLoop& loop) : FutureState<T>(loop, future_kind) {}
};

/// A done callback. Counted by what it stands in, the future or the ready queue, and by the
/// DoneCallback token.
struct DoneCallbackNode final : FutureWaiter, Counted<DoneCallbackNode> {
  DoneCallbackNode(const FutureBase& its_home, Callback its_callback);
  void destroy() noexcept { delete this; }

  const FutureBase* home;  // Whose list it was put in; only compared.
  Callback callback;
};

/// A task that awaits a future. Lives in the awaiter, in the coroutine's frame.
struct FutureWait final : FutureWaiter, Parked {
  /// What cancelling the waiting task does to the future.
  enum class OnCancel { cancel_future, leave_future };

  explicit FutureWait(FutureBase& its_future,
                      OnCancel on_cancel = OnCancel::cancel_future) noexcept;
  void park(PromiseBase& waiter);
  /// Throws CancelledError if the wait was cancelled, unless the future was and will throw its own.
  void check() const;

  bool passes_cancel_on = false;  // To the future, now: through a gather that may lead back here.
};

/// Awaits only that a future is done: does not look at its result. Cancelling the task ends the
/// wait at once, and leaves the future alone.
class UntilDone {
 public:
  explicit UntilDone(FutureBase& future) noexcept
      : wait_(future, FutureWait::OnCancel::leave_future) {}
  UntilDone(const UntilDone&) = delete;
  UntilDone& operator=(const UntilDone&) = delete;
  ~UntilDone() = default;

  bool await_ready() const noexcept { return wait_.future->done(); }
  template <WeirPromise P>
  void await_suspend(std::coroutine_handle<P> waiter,
                     std::source_location at = std::source_location::current()) {
    waiter.promise().awaits_at = at;
    wait_.park(waiter.promise());
  }
  void await_resume() const {
    if (wait_.cancelled) throw_cancelled(wait_.task->cancel_text());
  }

 private:
  FutureWait wait_;
};

}  // namespace detail

/// Names one call of add_done_callback(), so that it can be taken back.
class DoneCallback {
 public:
  DoneCallback() = default;
  explicit DoneCallback(detail::DoneCallbackNode* node) noexcept : node_(node) {}

 private:
  template <class T>
  friend class Future;
  detail::Ref<detail::DoneCallbackNode> node_;
};

/// A result that will be there later. A handle: copies name the same future.
///
/// Shape     Future<int> f = loop.create_future<int>();  f.set_result(1);  int n = co_await f;
/// Errors    result()       InvalidStateError "Result is not set."; what set_exception() was given;
///                          CancelledError.
///           set_…()        InvalidStateError "invalid state" unless pending; RuntimeError on a
///           task set_exception  ValueError "invalid exception object" for a null pointer. co_await
///           as result(); RuntimeError when the future belongs to another loop.
/// Threads   The loop's thread.
/// Lifetime  Counted. An exception that nobody fetched goes to the loop's exception handler when
///           the last handle does.
/// Cost      One allocation. Awaiting a done future does not suspend; completion resumes the
///           awaiting task in a later pass, never inline.
/// Source    CPython futures.py Future.
template <class T = void>
class Future {
 public:
  explicit Future(EventLoop& loop) : Future(new detail::PlainFutureState<T>(loop)) {
    loop.check_closed();
  }
  explicit Future(detail::FutureState<T>* state) noexcept : state_(state) {}

  bool done() const noexcept { return state_->done(); }
  bool cancelled() const noexcept {
    return state_->status == detail::FutureBase::Status::cancelled;
  }

  /// The value. Awaiting is what coroutines do; this is for callbacks and tests.
  auto result() const
      -> std::conditional_t<std::is_void_v<T>, void, std::add_lvalue_reference_t<const T>> {
    state_->checked_value();
    if constexpr (!std::is_void_v<T>) return *state_->value;
  }
  /// The exception or null; throws as result() does while pending, or when cancelled.
  std::exception_ptr exception() const { return state_->fetch_exception(); }

  template <class... Args>
  void set_result(Args&&... args) const {
    refuse_on_task("Task does not support set_result operation");
    state_->require_pending();
    state_->value.emplace(std::forward<Args>(args)...);
    state_->settle(detail::FutureBase::Status::finished);
  }
  void set_exception(std::exception_ptr error) const {
    refuse_on_task("Task does not support set_exception operation");
    state_->require_pending();
    if (!error) throw ValueError("invalid exception object");
    state_->settle_exception(std::move(error));
  }
  template <class E>
    requires(!std::same_as<std::remove_cvref_t<E>, std::exception_ptr>)
  void set_exception(E&& error) const {
    set_exception(std::make_exception_ptr(std::forward<E>(error)));
  }

  /// Asks for cancellation; false when already done. A task hears of it at its next step
  /// (task.hpp).
  bool cancel(const std::string& message = {}) const { return state_->cancel(message); }

  /// Calls `callback(future)` through call_soon() when the future is done; at once scheduled if it
  /// is.
  template <std::invocable<Future> F>
  DoneCallback add_done_callback(F callback) const {
    auto* node = new detail::DoneCallbackNode(
        *state_, Callback([callback = std::move(callback), state = state_.get()]() mutable {
          callback(Future(state));
        }));
    const DoneCallback token(node);
    state_->add_waiter(*node);
    node->add_ref();  // The future's list's, or the ready queue's.
    return token;
  }
  /// True if the callback was still waiting for the future to be done.
  bool remove_done_callback(const DoneCallback& token) const;

  EventLoop& get_loop() const { return state_->loop(); }
  /// Whether both name the same future.
  friend bool operator==(const Future&, const Future&) = default;
  /// For reports: "<Future pending>".
  std::string repr() const { return state_->describe(); }

  class Awaiter {
   public:
    explicit Awaiter(detail::FutureState<T>& state) noexcept : wait_(state) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() = default;

    bool await_ready() const noexcept { return wait_.future->done(); }
    template <detail::WeirPromise P>
    void await_suspend(std::coroutine_handle<P> waiter,
                       std::source_location at = std::source_location::current()) {
      waiter.promise().awaits_at = at;
      wait_.park(waiter.promise());
    }
    T await_resume() {
      wait_.check();
      return static_cast<detail::FutureState<T>&>(*wait_.future).take_value();
    }

   private:
    detail::FutureWait wait_;
  };
  /// The wait keeps the future alive; the handle may go.
  Awaiter operator co_await() const noexcept { return Awaiter(*state_); }

  detail::FutureState<T>& state() const noexcept { return *state_; }

 private:
  void refuse_on_task(const char* text) const {
    if (state_->task() != nullptr) throw RuntimeError(text);
  }
  detail::Ref<detail::FutureState<T>> state_;
};

template <class T>
bool Future<T>::remove_done_callback(const DoneCallback& token) const {
  if (!token.node_ || token.node_->home != state_.get() || !token.node_->linked()) return false;
  token.node_->unlink();
  token.node_->release();
  return true;
}

template <class T>
auto EventLoop::create_future() {
  return Future<T>(*this);
}

}  // namespace weir
