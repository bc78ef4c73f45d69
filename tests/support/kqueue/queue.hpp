// Internal: used by the emulation of kqueue.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/epoll.h>
#include <sys/event.h>

#include <cstddef>
#include <cstdint>
#include <list>
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
  /// Takes up to `room` events out of what is active now.
  std::vector<Event> collect(std::size_t room);
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

  int epoll_fd_;
  int signal_fd_;  // An eventfd, readable while an EVFILT_USER is triggered.
  std::map<Key, Knote> knotes_;
  std::map<int, std::uint32_t> reported_;  // By descriptor: what epoll said in this look.
  std::list<Key> active_;                  // In the order in which they will be reported.
};

}  // namespace kqueue_emulation
