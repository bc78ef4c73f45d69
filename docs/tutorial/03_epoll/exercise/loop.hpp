// Internal: used by echo.cpp.
// SPDX-License-Identifier: MIT
// The loop of the exercise is edge-triggered: it says once that a descriptor has become readable.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
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

class EventLoop {
 public:
  EventLoop() : epoll_fd_(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop() { close(epoll_fd_); }

  /// Calls `callback` each time something new has come to `fd`, until remove_reader().
  void add_reader(int fd, Callback callback) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.fd = fd;
    check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    readers_[fd] = std::make_shared<Callback>(std::move(callback));
  }

  /// Say this before you close `fd`.
  void remove_reader(int fd) {
    check(epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr), "epoll_ctl");
    readers_.erase(fd);
  }

  void run_forever() {
    for (;;) run_once();
  }

 private:
  void run_once() {
    epoll_event events[64];
    const int count = epoll_wait(epoll_fd_, events, 64, -1);
    if (count < 0 && errno != EINTR) check(-1, "epoll_wait");
    for (int i = 0; i < count; ++i) dispatch(events[i].data.fd);
  }

  void dispatch(int fd) {
    const auto found = readers_.find(fd);
    if (found == readers_.end()) return;  // An earlier callback of this batch has removed it.
    const std::shared_ptr<Callback> callback = found->second;  // It may remove itself: hold it.
    (*callback)();
  }

  int epoll_fd_;
  std::unordered_map<int, std::shared_ptr<Callback>> readers_;
};
