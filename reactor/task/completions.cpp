// SPDX-License-Identifier: MIT
#include <weir/reactor/task/completions.hpp>

#include <algorithm>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/task/task_base.hpp>

namespace weir::detail {

void Completions::reserve(std::size_t count) { ended_.reserve(count); }

void Completions::add(FutureBase& future, std::size_t index) {
  entries_.emplace_back(future, this, index).listener.listen();
}

void Completions::set_timeout(EventLoop& loop, Duration timeout) {
  timer_ = loop.call_later(timeout, [this] { give_up(); });
}

void Completions::hear(std::size_t index) {
  if (timed_out_) return;
  ended_.push_back(index);
  if (++heard_ == entries_.size()) timer_.cancel();
  wake_one();
}

/// The time is up: what has ended by now is still handed out, and everybody else gets the error.
void Completions::give_up() {
  timed_out_ = true;
  for (; !getters_.empty(); getters_.pop_front()) {
    if (!getters_.front().done()) getters_.front().set_result();
  }
}

void Completions::wake_one() {
  while (!getters_.empty()) {
    const Future<> getter = std::move(getters_.front());
    getters_.pop_front();
    if (getter.done()) continue;
    return getter.set_result();
  }
}

std::optional<std::size_t> Completions::take() {
  if (taken_ < ended_.size()) return ended_[taken_++];
  if (timed_out_) throw TimeoutError();
  return std::nullopt;
}

void Completions::stop_waiting(const Future<>& getter) {
  const auto found = std::ranges::find(getters_, getter);
  if (found != getters_.end()) getters_.erase(found);
  if (taken_ < ended_.size() && !getter.cancelled()) wake_one();
}

Coro<std::size_t> next_completion(Completions* completions) {
  std::optional<std::size_t> index = completions->take();
  while (!index) {
    const Future<> getter = completions->wait(require_current_task().future().loop());
    try {
      co_await getter;
    } catch (...) {
      completions->stop_waiting(getter);
      throw;
    }
    index = completions->take();
  }
  co_return *index;
}

}  // namespace weir::detail
