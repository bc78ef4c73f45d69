// SPDX-License-Identifier: MIT
#include <weir/reactor/task/run_coroutine_threadsafe.hpp>

#include <chrono>

namespace weir::detail {

bool ConcurrentBase::done() const {
  const std::lock_guard lock(mutex_);
  return status_ != Status::pending;
}

bool ConcurrentBase::cancelled() const {
  const std::lock_guard lock(mutex_);
  return status_ == Status::cancelled;
}

void ConcurrentBase::prepare_cancel(const std::shared_ptr<ConcurrentBase>& self, EventLoop& loop) {
  self->cancellation_.emplace(loop, [weak = std::weak_ptr<ConcurrentBase>(self)] {
    const std::shared_ptr<ConcurrentBase> its = weak.lock();
    if (its && its->task_ != nullptr) its->task_->cancel({});
  });
}

bool ConcurrentBase::cancel(const std::shared_ptr<ConcurrentBase>& self) {
  {
    const std::lock_guard lock(self->mutex_);
    if (self->status_ != Status::pending) return self->status_ == Status::cancelled;
    self->status_ = Status::cancelled;
  }
  self->changed_.notify_all();
  static_cast<void>(self->cancellation_->send());  // Refused: the loop is closed, the task gone.
  return true;
}

void ConcurrentBase::wait(std::optional<Duration> timeout) const {
  std::unique_lock lock(mutex_);
  const auto is_done = [this] { return status_ != Status::pending; };
  if (is_done()) return;
  if (running_loop == loop_) {
    throw RuntimeError("this thread runs the loop that it would wait for: co_await the coroutine");
  }
  if (!timeout) return changed_.wait(lock, is_done);
  const TimePoint now = std::chrono::steady_clock::now();
  if (!changed_.wait_until(lock, deadline_after(now, *timeout), is_done)) throw TimeoutError();
}

std::exception_ptr ConcurrentBase::failure() const {
  const std::lock_guard lock(mutex_);
  if (status_ == Status::cancelled) throw CancelledError();
  return error_;
}

void ConcurrentBase::finish(std::exception_ptr error) noexcept {
  settle(Status::finished, std::move(error));
}

void ConcurrentBase::abandon() noexcept {
  task_ = nullptr;
  settle(Status::cancelled, nullptr);
}

void ConcurrentBase::settle(Status status, std::exception_ptr error) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (status_ != Status::pending) return;
    status_ = status;
    error_ = std::move(error);
  }
  changed_.notify_all();
}

}  // namespace weir::detail
