// SPDX-License-Identifier: MIT
#include <weir/reactor/executor.hpp>

#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <weir/reactor/error.hpp>

namespace weir {
namespace {

/// While it lives, this thread takes no signals, nor do the threads that it starts: the loop thread
/// has the handlers, and blocking work must not be interrupted. Faults stay open: a sanitizer or a
/// debugger wants to hear of them on the thread that made them.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) {
      sigdelset(&all, fault);
    }
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(std::size_t max_threads) : max_threads_(max_threads) {}
  ~ThreadPool() override { shutdown(true); }

  void submit(Callback job) override;
  void shutdown(bool wait) override;

 private:
  void start_thread();
  void work() noexcept;

  const std::size_t max_threads_;
  std::vector<std::thread> threads_;  // Touched by submit() and shutdown() only: no lock.

  std::mutex mutex_;
  std::condition_variable wanted_;
  // Under mutex_.
  std::deque<Callback> jobs_;
  std::size_t idle_ = 0;  // Threads in wanted_.wait(), some of which may have been notified.
  bool ended_ = false;
};

void ThreadPool::submit(Callback job) {
  if (ended_) throw RuntimeError("cannot schedule new futures after shutdown");
  bool more_threads = false;
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    more_threads = jobs_.size() > idle_ && threads_.size() < max_threads_;
  }
  if (more_threads) {
    start_thread();
  } else {
    wanted_.notify_one();
  }
}

/// The system may refuse a thread. The job waits for those that there are; if there are none, it is
/// taken back and refused.
void ThreadPool::start_thread() {
  try {
    threads_.reserve(threads_.size() + 1);
    const SignalsBlocked blocked;  // The new thread inherits the mask.
    threads_.emplace_back([this] { work(); });
  } catch (const std::exception&) {
    if (!threads_.empty()) return wanted_.notify_one();
    std::deque<Callback> refused;  // Without a thread, the queue holds this one job.
    const std::lock_guard lock(mutex_);
    refused.swap(jobs_);
    throw RuntimeError("can't start new thread");
  }
}

void ThreadPool::work() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wanted_.wait(lock, [this] { return ended_ || !jobs_.empty(); });
    --idle_;
    if (ended_) return;
    Callback job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job.reset();  // Here, not under the lock: what it captured may be anything.
    lock.lock();
  }
}

void ThreadPool::shutdown(bool wait) {
  std::deque<Callback> dropped;  // Destroyed last, on this thread and without the lock.
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    dropped.swap(jobs_);
  }
  wanted_.notify_all();
  if (!wait) return;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace

std::unique_ptr<Executor> make_thread_pool(std::size_t max_threads) {
  if (max_threads == 0) throw ValueError("max_workers must be greater than 0");
  return std::make_unique<ThreadPool>(max_threads);
}

std::size_t default_max_threads() noexcept {
  const std::size_t cpus = std::max(1U, std::thread::hardware_concurrency());
  return std::min<std::size_t>(32, cpus + 4);
}

}  // namespace weir
