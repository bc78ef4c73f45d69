// SPDX-License-Identifier: MIT
#include <weir/reactor/mailbox.hpp>

#include <utility>

namespace weir::detail {

bool Mailbox::post(Callback& callback, const std::source_location& where) {
  const std::lock_guard lock(mutex_);
  if (poller_ == nullptr) return false;
  const bool first = inbox_.empty();
  // Here, so that it throws before the callback has moved.
  if (inbox_.size() == inbox_.capacity()) inbox_.reserve(inbox_.size() * 2 + 8);
  inbox_.push_back({std::move(callback), where});
  has_mail_.store(true, std::memory_order_relaxed);
  // Only the first letter rings: take() empties the box before it looks at what came. Under the
  // lock, so that close() cannot destroy the poller between the check and the call.
  if (first) poller_->wake();
  return true;
}

void Mailbox::take(std::vector<Letter>& into) {
  into.clear();
  const std::lock_guard lock(mutex_);
  has_mail_.store(false, std::memory_order_relaxed);
  inbox_.swap(into);
}

void Mailbox::close() {
  std::vector<Letter> unread;  // Destroyed after the lock is gone: user code may post again.
  const std::lock_guard lock(mutex_);
  poller_ = nullptr;
  has_mail_.store(false, std::memory_order_relaxed);
  unread.swap(inbox_);
}

}  // namespace weir::detail
