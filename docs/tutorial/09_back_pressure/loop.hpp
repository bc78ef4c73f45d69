// Internal: used by echo.cpp.
// SPDX-License-Identifier: MIT
// The loop: knows descriptors, deadlines and callbacks. It has never heard of clients.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

/// Ends the program if a system call has failed that has no reason to.
inline int check(int result, const char* what) {
  if (result < 0) {
    std::perror(what);
    std::exit(1);
  }
  return result;
}

using Callback = std::function<void()>;
using Clock = std::chrono::steady_clock;  // It never jumps, whatever is done to the time of day.

// [handle]
/// A callback that the loop will call, unless it is cancelled before.
class Handle {
 public:
  explicit Handle(Callback callback) : callback_(std::move(callback)) {}

  /// Lets go at once of all that the callback holds.
  void cancel() { callback_ = nullptr; }

  void run() const {
    const Callback callback = callback_;  // A copy: the callback may cancel its own handle.
    if (callback) callback();
  }

 private:
  Callback callback_;
};
// [/handle]

class EventLoop {
 public:
  EventLoop() : epoll_fd_(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop() { close(epoll_fd_); }

  // [schedule]
  /// Calls `callback` in the next pass, after all that was scheduled before it.
  std::shared_ptr<Handle> call_soon(Callback callback) {
    ready_.push_back(std::make_shared<Handle>(std::move(callback)));
    return ready_.back();
  }

  /// Calls `callback` when `delay` has passed.
  std::shared_ptr<Handle> call_later(Clock::duration delay, Callback callback) {
    auto handle = std::make_shared<Handle>(std::move(callback));
    timers_.emplace(Clock::now() + delay, handle);
    return handle;
  }
  // [/schedule]

  /// Calls `callback` whenever `fd` can be read, until remove_reader().
  void add_reader(int fd, Callback callback) {
    watches_[fd].reader = std::make_shared<Handle>(std::move(callback));
    update(fd);
  }
  // [remove]
  void remove_reader(int fd) {
    const std::shared_ptr<Handle> handle = std::exchange(watches_[fd].reader, nullptr);
    update(fd);
    if (handle) handle->cancel();  // It may be in the ready queue already.
  }
  // [/remove]

  /// Calls `callback` whenever `fd` can be written to, until remove_writer().
  void add_writer(int fd, Callback callback) {
    watches_[fd].writer = std::make_shared<Handle>(std::move(callback));
    update(fd);
  }
  void remove_writer(int fd) {
    const std::shared_ptr<Handle> handle = std::exchange(watches_[fd].writer, nullptr);
    update(fd);
    if (handle) handle->cancel();
  }

  void run_forever() {
    stopping_ = false;
    while (!stopping_) run_once();
  }
  /// Ends run_forever() when the pass is over.
  void stop() { stopping_ = true; }

 private:
  // [watch]
  /// What we know about a descriptor.
  struct Watch {
    std::shared_ptr<Handle> reader;
    std::shared_ptr<Handle> writer;
    std::uint32_t told = 0;  // What the kernel has been told to look for.
  };

  /// Tells the kernel if what we look for has changed.
  void update(int fd) {
    Watch& watch = watches_[fd];
    std::uint32_t wanted = 0;
    if (watch.reader) wanted |= EPOLLIN;
    if (watch.writer) wanted |= EPOLLOUT;
    if (wanted != watch.told) {
      int operation = EPOLL_CTL_MOD;
      if (watch.told == 0) operation = EPOLL_CTL_ADD;
      if (wanted == 0) operation = EPOLL_CTL_DEL;
      epoll_event event{};
      event.events = wanted;
      event.data.fd = fd;
      check(epoll_ctl(epoll_fd_, operation, fd, &event), "epoll_ctl");
      watch.told = wanted;
    }
    if (wanted == 0) watches_.erase(fd);
  }
  // [/watch]

  // [run_once]
  void run_once() {
    poll();
    queue_due_timers();
    run_ready();
  }
  // [/run_once]

  // [poll]
  void poll() {
    epoll_event events[64];
    const int count = epoll_wait(epoll_fd_, events, 64, timeout_ms());
    if (count < 0 && errno != EINTR) check(-1, "epoll_wait");
    for (int i = 0; i < count; ++i) dispatch(events[i]);
  }

  /// How long there is nothing to do. -1: until something comes.
  int timeout_ms() const {
    if (!ready_.empty()) return 0;
    if (timers_.empty()) return -1;
    const auto left = timers_.begin()->first - Clock::now();
    // Rounded up: 0 instead of 0.4 ms would have us run in circles until the timer is due.
    const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::clamp<long long>(left_ms, 0, 60'000));
  }

  /// Queues who waits for this.
  void dispatch(const epoll_event& event) {
    const auto found = watches_.find(event.data.fd);
    if (found == watches_.end()) return;
    const Watch& watch = found->second;
    // A broken connection is reported unasked. Both callbacks may hear of it: their calls will
    // fail.
    const bool broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    if (watch.reader && (broken || (event.events & EPOLLIN) != 0)) ready_.push_back(watch.reader);
    if (watch.writer && (broken || (event.events & EPOLLOUT) != 0)) ready_.push_back(watch.writer);
  }
  // [/poll]

  // [timers]
  void queue_due_timers() {
    const Clock::time_point now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      ready_.push_back(timers_.begin()->second);
      timers_.erase(timers_.begin());
    }
  }
  // [/timers]

  // [run_ready]
  /// Calls what is ready now. What these callbacks schedule is for the next pass.
  void run_ready() {
    for (std::size_t left = ready_.size(); left > 0; --left) {
      const std::shared_ptr<Handle> handle = ready_.front();
      ready_.pop_front();
      handle->run();
    }
  }
  // [/run_ready]

  int epoll_fd_;
  std::unordered_map<int, Watch> watches_;
  std::deque<std::shared_ptr<Handle>> ready_;                         // First in, first out.
  std::multimap<Clock::time_point, std::shared_ptr<Handle>> timers_;  // The next one comes first.
  bool stopping_ = false;
};
