// Internal: used by the emulation of kqueue.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/epoll.h>
#include <sys/event.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace kqueue_emulation {

using Event = struct kevent;  // The function has the same name.

/// Says what the program did that no BSD kernel would put up with, or that this emulation cannot
/// tell right from wrong; ends it.
[[noreturn]] void die(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// One kernel event queue, without its locks: what is registered, and what is active, in order. The
/// descriptor that the program holds is an epoll descriptor, which knows when to look.
class Queue {
 public:
  explicit Queue(int epoll_fd, int signal_fd) noexcept
      : epoll_fd_(epoll_fd), signal_fd_(signal_fd) {}

  int epoll_fd() const noexcept { return epoll_fd_; }
  int signal_fd() const noexcept { return signal_fd_; }

  /// Applies one change; 0 or errno.
  int change(const Event& change);
  /// Puts what is active now into `room`, as far as it goes; how much that was. Allocates nothing
  /// once it has seen as much: programs that count their allocations run over it.
  std::size_t collect(std::span<Event> room);
  /// Ends what is registered for a descriptor that is about to be closed.
  void close(int fd);

 private:
  using Key = std::pair<int, std::intptr_t>;  // Filter and ident: there is one event of each.
  struct Knote {
    Event event{};
    bool triggered = false;  // EVFILT_USER
    bool queued = false;     // It stands in active_.
  };

  static void check(const Event& change);
  int attach(const Event& change);
  int detach(const Event& change);
  void watch(int fd);
  void trigger(Knote& knote, bool fire);
  bool evaluate(const Key& key, Knote& knote);
  void enqueue(const Key& key);
  void look();

  struct Report {
    std::uint64_t look = 0;    // In which one
    std::uint32_t events = 0;  // epoll said this.
  };

  int epoll_fd_;
  int signal_fd_;  // An eventfd, readable while an EVFILT_USER is triggered.
  std::map<Key, Knote> knotes_;
  std::uint64_t looks_ = 0;
  std::vector<Report> reports_;    // By descriptor.
  std::vector<Key> active_;        // In the order in which they will be reported.
  std::vector<epoll_event> seen_;  // By the last look.
};

}  // namespace kqueue_emulation
