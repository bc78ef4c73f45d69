// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

namespace detail {
template <class F>
inline constexpr bool is_std_function = false;
template <class R, class... Args>
inline constexpr bool is_std_function<std::function<R(Args...)>> = true;
}  // namespace detail

/// A move-only `void()`: what the loop stores for call_soon, timers, readers and signals.
///
/// Shape     Anything callable without arguments; the result is thrown away. A null function
///           pointer or an empty std::function makes an empty Callback.
/// Lifetime  Owns the callable, and destroys it once.
/// Cost      Callables of up to 48 bytes with a noexcept move, aligned no stricter than a pointer,
///           live inside; others cost one allocation. Those that are bytes and nothing more
///           (lambdas that capture pointers and numbers) are destroyed without a call.
class Callback {
 public:
  static constexpr std::size_t inline_bytes = 48;

  Callback() = default;
  Callback(std::nullptr_t) noexcept {}  // NOLINT: implicit, like std::function

  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Callback> &&
             std::is_invocable_v<std::decay_t<F>&>)
  Callback(F&& callable) {  // NOLINT: implicit, like std::function
    using Fn = std::decay_t<F>;
    constexpr bool named_function = std::is_function_v<std::remove_reference_t<F>>;  // never null
    if constexpr (!named_function && (std::is_pointer_v<Fn> || detail::is_std_function<Fn>)) {
      if (!static_cast<bool>(callable)) return;
    }
    if constexpr (stored_inline<Fn>) {
      ::new (static_cast<void*>(storage_)) Fn(std::forward<F>(callable));
      operations_ = &inline_operations<Fn>;
    } else {
      ::new (static_cast<void*>(storage_)) Fn*(new Fn(std::forward<F>(callable)));
      operations_ = &heap_operations<Fn>;
    }
  }

  Callback(Callback&& other) noexcept { take(other); }
  Callback& operator=(Callback&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;
  ~Callback() { reset(); }

  explicit operator bool() const noexcept { return operations_ != nullptr; }
  void operator()() { operations_->call(storage_); }
  void reset() noexcept {
    const Operations* const last = std::exchange(operations_, nullptr);
    if (last != nullptr && last->destroy != nullptr) last->destroy(storage_);
  }

 private:
  struct Operations {
    void (*call)(void* storage);
    void (*move)(void* to, void* from) noexcept;  // Leaves nothing to destroy in `from`.
    void (*destroy)(void* storage) noexcept;      // Null: there is nothing to do.
  };

  template <class Fn>
  static constexpr bool stored_inline =
      sizeof(Fn) <= inline_bytes && alignof(Fn) <= alignof(void*) &&
      std::is_nothrow_move_constructible_v<Fn>;

  template <class Fn>
  static void destroy_inline(void* storage) noexcept {
    static_cast<Fn*>(storage)->~Fn();
  }
  template <class Fn>
  static constexpr Operations inline_operations = {
      [](void* storage) { static_cast<void>((*static_cast<Fn*>(storage))()); },
      [](void* to, void* from) noexcept {
        ::new (to) Fn(std::move(*static_cast<Fn*>(from)));
        static_cast<Fn*>(from)->~Fn();
      },
      std::is_trivially_destructible_v<Fn> ? nullptr : &destroy_inline<Fn>,
  };

  template <class Fn>
  static constexpr Operations heap_operations = {
      [](void* storage) { static_cast<void>((**static_cast<Fn**>(storage))()); },
      [](void* to, void* from) noexcept { ::new (to) Fn*(*static_cast<Fn**>(from)); },
      [](void* storage) noexcept { delete *static_cast<Fn**>(storage); },
  };

  void take(Callback& other) noexcept {
    operations_ = std::exchange(other.operations_, nullptr);
    if (operations_ != nullptr) operations_->move(storage_, other.storage_);
  }

  const Operations* operations_ = nullptr;
  alignas(void*) std::byte storage_[inline_bytes];
};

/// What a Callback can be made of.
template <class F>
concept MakesCallback = std::is_constructible_v<Callback, F>;

}  // namespace weir
