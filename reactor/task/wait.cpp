// SPDX-License-Identifier: MIT
#include <weir/reactor/task/wait.hpp>

#include <cstddef>
#include <deque>
#include <string>

#include <weir/reactor/error.hpp>
#include <weir/reactor/task/done_listener.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/task_base.hpp>

namespace weir::detail {
namespace {

/// One wait(): counts who is done, and releases the waiting task through a future, as asyncio does,
/// so that it resumes in asyncio's pass.
class Waiting {
 public:
  Waiting(EventLoop& loop, const std::vector<Ref<FutureBase>>& futures, const WaitOptions& options)
      : released_(loop), left_(futures.size()), return_when_(options.return_when) {
    for (const auto& future : futures) {
      listeners_
          .emplace_back(*future, this,
                        [](void* owner, DoneListener& listener) {
                          static_cast<Waiting*>(owner)->hear(listener.heard_of());
                        })
          .listen();
    }
    if (options.timeout) {  // Last: should the others throw, no timer is left that points here.
      timer_ = loop.call_later(*options.timeout, [this] { release(); });
    }
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { timer_.cancel(); }

  const Future<>& released() const noexcept { return released_; }

 private:
  void hear(FutureBase& done) {
    --left_;
    if (left_ == 0 || return_when_ == ReturnWhen::first_completed ||
        (return_when_ == ReturnWhen::first_exception && failed(done))) {
      timer_.cancel();
      release();
    }
  }
  static bool failed(FutureBase& done) {
    return done.status == FutureBase::Status::finished && done.fetch_exception() != nullptr;
  }
  void release() const {
    if (!released_.done()) released_.set_result();
  }

  Future<> released_;
  std::size_t left_;
  ReturnWhen return_when_;
  TimerHandle timer_;
  std::deque<DoneListener> listeners_;  // A deque: they stay where they are.
};

}  // namespace

void check_wait(bool nothing_given, ReturnWhen return_when) {
  if (nothing_given) throw ValueError("Set of Tasks/Futures is empty.");
  switch (return_when) {
    case ReturnWhen::all_completed:
    case ReturnWhen::first_completed:
    case ReturnWhen::first_exception: return;
  }
  throw ValueError("Invalid return_when value: " + std::to_string(static_cast<int>(return_when)));
}

Coro<> wait_until(std::vector<Ref<FutureBase>> futures, WaitOptions options) {
  const Waiting waiting(require_current_task().future().loop(), futures, options);
  co_await waiting.released();
}

}  // namespace weir::detail
