// SPDX-License-Identifier: MIT
#include <weir/reactor/mailbox.hpp>

namespace weir::detail {

bool Mailbox::post(Queueable& letter) noexcept {
  const std::lock_guard lock(mutex_);
  if (poller_ == nullptr) return false;
  const bool first = inbox_.empty();
  inbox_.push(letter);
  has_mail_.store(true, std::memory_order_relaxed);
  // Only the first letter rings: take() empties the box before it looks at what came. Under the
  // lock, so that close() cannot destroy the poller between the check and the call.
  if (first) poller_->wake();
  return true;
}

void Mailbox::take(ReadyQueue& into) noexcept {
  const std::lock_guard lock(mutex_);
  has_mail_.store(false, std::memory_order_relaxed);
  into.take(inbox_);
}

void Mailbox::close() {
  ReadyQueue unread;  // Dropped after the lock is gone: user code may post again.
  {
    const std::lock_guard lock(mutex_);
    poller_ = nullptr;
    has_mail_.store(false, std::memory_order_relaxed);
    unread.take(inbox_);
  }
  while (Queueable* letter = unread.pop()) {
    if (letter->kind->drop != nullptr) letter->kind->drop(*letter);
  }
}

}  // namespace weir::detail
