// Internal: used by the loop (hooks, owned objects) and by futures (waiters).
// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {
namespace detail {

/// A member of at most one intrusive list. Unlinks itself when destroyed.
class ListLink {
 public:
  ListLink() = default;
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;
  ~ListLink() { unlink(); }

  bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (next_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class T>
  friend class IntrusiveList;
  ListLink* next_ = nullptr;
  ListLink* previous_ = nullptr;
};

/// Objects that carry their own links: no allocation to add one, O(1) to take any one out. T
/// derives from ListLink. The list owns nothing; its members outlive it or unlink themselves.
template <class T>
class IntrusiveList {
 public:
  IntrusiveList() noexcept { head_.next_ = head_.previous_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (pop_front() != nullptr) {
    }
    head_.next_ = nullptr;  // So that the head's own destructor finds nothing to unlink.
  }

  bool empty() const noexcept { return head_.next_ == &head_; }
  void push_back(T& member) noexcept {
    ListLink& link = member;
    link.unlink();
    link.previous_ = head_.previous_;
    link.next_ = &head_;
    head_.previous_->next_ = &link;
    head_.previous_ = &link;
  }
  T* front() noexcept { return empty() ? nullptr : static_cast<T*>(head_.next_); }
  T* pop_front() noexcept {
    T* member = front();
    if (member != nullptr) static_cast<ListLink*>(member)->unlink();
    return member;
  }
  /// Takes all of `other`'s members, in order, behind its own.
  void take(IntrusiveList& other) noexcept {
    while (T* member = other.pop_front()) push_back(*member);
  }
  template <class F>
  void for_each(F&& visit) const {
    for (const ListLink* at = head_.next_; at != &head_;) {
      const ListLink* next = at->next_;
      visit(static_cast<const T&>(*at));
      at = next;
    }
  }

 private:
  ListLink head_;
};

}  // namespace detail
}  // namespace weir
