// SPDX-License-Identifier: MIT
#include <weir/reactor/task/timeouts.hpp>

namespace weir::detail {

const RunnableKind Expiry::expiry_kind = {
    expire,
    [](const Runnable& runnable) {
      return "<time-out of " +
             static_cast<const Expiry&>(static_cast<const Timer&>(runnable)).task_.describe_task() +
             ">";
    },
};

Expiry::Expiry(Duration delay)
    : Timer(expiry_kind), task_(require_current_task()), cancelling_before_(task_.cancelling()) {
  EventLoop& loop = task_.future().loop();
  loop.timers().add(*this, deadline_after(loop.time(), delay));
}

void Expiry::expire(Runnable& runnable) {
  auto& expiry = static_cast<Expiry&>(static_cast<Timer&>(runnable));
  expiry.expired_ = true;
  expiry.task_.request_cancel({});
}

bool Expiry::left_by_timeout(const std::exception_ptr& error) noexcept {
  disarm();
  if (!expired_) return false;
  return task_.uncancel() <= cancelling_before_ && is_a<CancelledError>(error);
}

void Expiry::disarm() noexcept {
  EventLoop* loop = task_.future().token->loop;
  if (loop == nullptr) return;
  if (armed()) loop->timers().remove(*this);
  if (position != 0) loop->ready().remove(*this);
}

}  // namespace weir::detail
