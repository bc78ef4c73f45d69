// Internal: used by reactor/task, net and streams for their counted states.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <utility>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// A strong reference to a T that counts itself, without atomics: T has `add_ref()` and
/// `release()`.
///
/// Threads   The thread of the loop that the object belongs to, like everything counted this way.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) noexcept : object_(object) {
    if (object_ != nullptr) object_->add_ref();
  }
  Ref(const Ref& other) noexcept : Ref(other.object_) {}
  template <class U>
    requires requires(U* u, T*& t) { t = u; }
  Ref(const Ref<U>& other) noexcept : Ref(other.get()) {}  // NOLINT: converts as pointers do
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->release();
  }

  /// Leaves the count as it is: whoever takes the pointer release()s it.
  [[nodiscard]] T* detach() noexcept { return std::exchange(object_, nullptr); }

  T* get() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  T* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  friend bool operator==(const Ref&, const Ref&) = default;

 private:
  T* object_ = nullptr;
};

/// The count itself. Derive from Counted<T>; the last release() calls T::destroy().
template <class T>
class Counted {
 public:
  void add_ref() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) static_cast<T*>(this)->destroy();
  }
  std::uint32_t references() const noexcept { return references_; }

 private:
  std::uint32_t references_ = 0;
};

}  // namespace detail
}  // namespace weir
