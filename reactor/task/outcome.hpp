// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

namespace detail {
struct Nothing {};
/// T, or Nothing where T is void: so that one template serves both.
template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, Nothing, T>;
}  // namespace detail

/// What an operation came to: a value, or the exception that it threw. outcome() in recovery.hpp
/// makes one; futures and coroutines keep their results in it.
///
/// Shape     Outcome<std::string> line = co_await outcome(reader.readline());
///           if (line.failed_with<LimitOverrunError>()) …; else use(line.value());
/// Errors    value() rethrows the exception; with neither value nor exception it throws
///           InvalidStateError. Cancellation is an exception like any other here: a path that does
///           not handle it must reach value().
template <class T = void>
class [[nodiscard]] Outcome {
 public:
  Outcome() = default;
  // Declared, so that this is no aggregate: g++ 12 destroys temporaries of aggregates twice in
  // co_await expressions.
  Outcome(Outcome&&) = default;
  Outcome(const Outcome&) = default;
  Outcome& operator=(Outcome&&) = default;
  Outcome& operator=(const Outcome&) = default;
  ~Outcome() = default;

  template <class... Args>
  void set_value(Args&&... args) {
    value_.emplace(std::forward<Args>(args)...);
  }
  void set_exception(std::exception_ptr error) noexcept { error_ = std::move(error); }

  bool has_value() const noexcept { return value_.has_value(); }
  const std::exception_ptr& exception() const noexcept { return error_; }

  /// Whether it failed with an exception of type E, or one derived from it.
  template <class E>
  bool failed_with() const noexcept {
    return detail::is_a<E>(error_);
  }
  bool cancelled() const { return failed_with<CancelledError>(); }

  /// The value, or rethrows.
  const detail::Stored<T>& value() const& {
    check();
    return *value_;
  }
  /// Moves the value out, or rethrows.
  T value() && {
    check();
    if constexpr (!std::is_void_v<T>) return std::move(*value_);
  }

 private:
  void check() const {
    if (error_) std::rethrow_exception(error_);
    if (!value_) throw InvalidStateError("Result is not set.");
  }

  std::optional<detail::Stored<T>> value_;
  std::exception_ptr error_;
};

}  // namespace weir
