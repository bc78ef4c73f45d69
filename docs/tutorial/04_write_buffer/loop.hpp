// Internal: used by echo.cpp.
// SPDX-License-Identifier: MIT
// The loop: knows descriptors and callbacks. It has never heard of clients.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
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

  // [interest]
  /// Calls `callback` whenever `fd` can be read, until remove_reader().
  void add_reader(int fd, Callback callback) {
    watches_[fd].reader = std::make_shared<Callback>(std::move(callback));
    update(fd);
  }
  void remove_reader(int fd) {
    watches_[fd].reader = nullptr;
    update(fd);
  }

  /// Calls `callback` whenever `fd` can be written to, until remove_writer().
  void add_writer(int fd, Callback callback) {
    watches_[fd].writer = std::make_shared<Callback>(std::move(callback));
    update(fd);
  }
  void remove_writer(int fd) {
    watches_[fd].writer = nullptr;
    update(fd);
  }
  // [/interest]

  void run_forever() {
    for (;;) run_once();
  }

 private:
  // [watch]
  /// What we know about a descriptor.
  struct Watch {
    std::shared_ptr<Callback> reader;
    std::shared_ptr<Callback> writer;
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
    epoll_event events[64];
    const int count = epoll_wait(epoll_fd_, events, 64, -1);
    if (count < 0 && errno != EINTR) check(-1, "epoll_wait");
    for (int i = 0; i < count; ++i) dispatch(events[i]);
  }

  void dispatch(const epoll_event& event) {
    const int fd = event.data.fd;
    // A broken connection is reported unasked. Both callbacks may hear of it: their calls will
    // fail.
    const bool broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    if (broken || (event.events & EPOLLIN) != 0) call(reader_of(fd));
    if (broken || (event.events & EPOLLOUT) != 0) call(writer_of(fd));
  }

  std::shared_ptr<Callback> reader_of(int fd) const {
    const auto found = watches_.find(fd);
    return found == watches_.end() ? nullptr : found->second.reader;
  }
  std::shared_ptr<Callback> writer_of(int fd) const {
    const auto found = watches_.find(fd);
    return found == watches_.end() ? nullptr : found->second.writer;
  }

  /// Has a pointer of its own, because the callback may remove itself. Null: it was removed.
  static void call(std::shared_ptr<Callback> callback) {
    if (callback) (*callback)();
  }
  // [/run_once]

  int epoll_fd_;
  std::unordered_map<int, Watch> watches_;
};
