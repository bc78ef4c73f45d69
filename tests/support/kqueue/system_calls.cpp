// SPDX-License-Identifier: MIT
//
// kqueue() and kevent() for Linux: tests of a back end that no kernel here has. And close(), dup2()
// and dup3(), which stand before the C library's, because closing a descriptor ends what a kqueue
// knows of it. close_range() does not come by here. The comments in brackets name the place of
// kqueue(2), FreeBSD 14, that a rule is from.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include <tests/support/kqueue/queue.hpp>

namespace kqueue_emulation {
namespace {

constexpr long nanoseconds_a_second = 1'000'000'000;

/// All queues of this process. Never destroyed: static objects close descriptors after main().
struct World {
  std::mutex mutex;
  std::map<int, std::unique_ptr<Queue>> queues;  // By the descriptor that the program has.
  std::atomic<std::size_t> queue_count = 0;      // 0: close() need not look.
};

World& world() {
  static World* const the_world = new World;
  return *the_world;
}

/// On BSD these are system calls, which no signal handler can come into the middle of; here a
/// handler that wakes a loop would find the mutex taken by its own thread.
class Exclusive {
 public:
  Exclusive() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
    world().mutex.lock();
  }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;
  ~Exclusive() {
    const int saved_errno = errno;
    world().mutex.unlock();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = saved_errno;
  }

  /// Lets the others in while `wait` runs, with the signals let through that were.
  template <class Wait>
  auto outside(Wait wait) {
    world().mutex.unlock();
    const auto result = wait(&before_);
    const int saved_errno = errno;
    world().mutex.lock();
    errno = saved_errno;
    return result;
  }

 private:
  sigset_t before_;
};

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

int really_close(int fd) {
  static const auto function = next<int(int)>("close");
  return function(fd);
}

void about_to_close(int fd) {
  World& all = world();
  if (all.queue_count.load(std::memory_order_relaxed) == 0) return;
  const Exclusive exclusive;
  const auto own = all.queues.find(fd);
  if (own != all.queues.end()) {
    really_close(own->second->signal_fd());
    all.queues.erase(own);
    --all.queue_count;
  }
  for (const auto& [number, queue] : all.queues) queue->close(fd);
}

Queue& queue_of(int fd) {
  const auto found = world().queues.find(fd);
  // [ERRORS, EBADF]: by then the number may be anybody's.
  if (found == world().queues.end()) die("kevent() on descriptor %d, which is no kqueue", fd);
  return *found->second;
}

/// [DESCRIPTION: "The queue is not inherited by a child created with fork"]
void after_fork_in_child() {
  World& all = world();
  for (const auto& [fd, queue] : all.queues) {
    really_close(queue->signal_fd());
    really_close(fd);
  }
  all.queues.clear();
  all.queue_count = 0;
}

Exclusive* fork_guard = nullptr;  // Belongs to the thread that forks.

void look_after_forks() {
  ::pthread_atfork([] { fork_guard = new Exclusive; }, [] { delete fork_guard; },
                   [] {
                     after_fork_in_child();
                     delete fork_guard;
                   });
}

void check_arguments(std::span<const Event> changes, std::span<Event> room,
                     const timespec* timeout) {
  if (!changes.empty() && changes.data() == nullptr) die("no changelist [EFAULT]");
  if (!room.empty() && room.data() == nullptr) die("no eventlist [EFAULT]");
  if (timeout != nullptr &&
      (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= nanoseconds_a_second)) {
    die("the time limit is invalid [EINVAL]");
  }
}

/// Applies all changes; the number of answers, or nothing if one failed and had no room to say so.
std::optional<int> apply(Queue& queue, std::span<const Event> changes, std::span<Event> room) {
  std::size_t answers = 0;
  for (const Event& change : changes) {
    const bool receipt = (change.flags & EV_RECEIPT) != 0;
    if (receipt && answers == room.size()) {
      // [EV_RECEIPT: "there is no remaining space ... then subsequent changes will not get
      // processed"]
      die("no room for the receipt of a change: what follows would be lost");
    }
    const int error = queue.change(change);
    if (error == 0 && !receipt) continue;
    if (answers == room.size()) {
      errno = error;  // [RETURN VALUES: "Otherwise, -1 will be returned"]
      return std::nullopt;
    }
    // [RETURN VALUES: "with EV_ERROR set in flags and the system error in data"]
    Event& answer = room[answers++];
    answer = change;
    answer.flags = EV_ERROR;
    answer.data = error;
  }
  return static_cast<int>(answers);
}

timespec now() {
  timespec result{};
  ::clock_gettime(CLOCK_MONOTONIC, &result);
  return result;
}

timespec sum(timespec a, timespec b) {
  timespec result{a.tv_sec + b.tv_sec, a.tv_nsec + b.tv_nsec};
  if (result.tv_nsec >= nanoseconds_a_second) {
    ++result.tv_sec;
    result.tv_nsec -= nanoseconds_a_second;
  }
  return result;
}

/// How long it is to `deadline`; nothing if that is now or was.
std::optional<timespec> until(timespec deadline) {
  const timespec from = now();
  timespec result{deadline.tv_sec - from.tv_sec, deadline.tv_nsec - from.tv_nsec};
  if (result.tv_nsec < 0) {
    --result.tv_sec;
    result.tv_nsec += nanoseconds_a_second;
  }
  if (result.tv_sec < 0 || (result.tv_sec == 0 && result.tv_nsec == 0)) return std::nullopt;
  return result;
}

/// Waits for epoll to see something; with `nap`, for a moment only, because what it sees is nothing
/// to a kqueue: Linux calls a socket that was never connected hung up. -1 and EINTR if a signal
/// came.
int sleep(Exclusive& exclusive, int epoll_fd, const timespec* limit, bool nap) {
  return exclusive.outside([&](const sigset_t* mask) {
    const timespec moment{0, 1'000'000};
    if (nap) return ::ppoll(nullptr, 0, &moment, mask) < 0 ? -1 : 1;
    epoll_event event{};
    return ::epoll_pwait2(epoll_fd, &event, 1, limit, mask);
  });
}

}  // namespace
}  // namespace kqueue_emulation

using kqueue_emulation::about_to_close;
using kqueue_emulation::die;
using kqueue_emulation::Event;
using kqueue_emulation::Exclusive;
using kqueue_emulation::Queue;
using kqueue_emulation::World;

extern "C" int kqueue() {
  static const bool once = [] {
    kqueue_emulation::look_after_forks();
    return true;
  }();
  static_cast<void>(once);
  const int epoll_fd = ::epoll_create1(0);
  if (epoll_fd < 0) return -1;  // [ERRORS: EMFILE, ENFILE, ENOMEM]
  const int signal_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = signal_fd;
  if (signal_fd < 0 || ::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, signal_fd, &event) < 0) {
    const int error = errno;
    if (signal_fd >= 0) kqueue_emulation::really_close(signal_fd);
    kqueue_emulation::really_close(epoll_fd);
    errno = error;
    return -1;
  }
  const Exclusive exclusive;
  World& all = kqueue_emulation::world();
  all.queues[epoll_fd] = std::make_unique<Queue>(epoll_fd, signal_fd);
  ++all.queue_count;
  return epoll_fd;
}

extern "C" int kevent(int kq, const Event* changelist, int nchanges, Event* eventlist, int nevents,
                      const timespec* timeout) {
  if (nchanges < 0 || nevents < 0) die("a negative number of events [EINVAL]");
  const std::span changes(changelist, static_cast<std::size_t>(nchanges));
  const std::span room(eventlist, static_cast<std::size_t>(nevents));
  kqueue_emulation::check_arguments(changes, room, timeout);
  const auto start = kqueue_emulation::now();

  Exclusive exclusive;
  Queue* const queue = &kqueue_emulation::queue_of(kq);
  // [DESCRIPTION: "All changes contained in the changelist are applied before any pending events
  // are read"; source: answers are returned without waiting]
  const std::optional<int> answers = kqueue_emulation::apply(*queue, changes, room);
  if (!answers) return -1;
  // [DESCRIPTION: "When nevents is zero, kevent will return immediately"]
  if (*answers > 0 || nevents == 0) return *answers;

  int seen = 0;
  while (true) {
    const std::size_t count = queue->collect(room);
    if (count > 0) return static_cast<int>(count);
    std::optional<timespec> left;
    if (timeout != nullptr) {
      left = kqueue_emulation::until(kqueue_emulation::sum(start, *timeout));
      if (!left) return 0;  // [RETURN VALUES: "If the time limit expires, then kevent returns 0"]
    }
    // [ERRORS, EINTR]
    seen = kqueue_emulation::sleep(exclusive, kq, left ? &*left : nullptr, seen > 0);
    if (seen < 0) return -1;
    if (&kqueue_emulation::queue_of(kq) != queue) die("kqueue %d was closed in a wait", kq);
  }
}

extern "C" int close(int fd) {
  about_to_close(fd);
  return kqueue_emulation::really_close(fd);
}

extern "C" int dup2(int from, int to) noexcept {
  static const auto function = kqueue_emulation::next<int(int, int)>("dup2");
  if (from != to && ::fcntl(from, F_GETFD) >= 0) about_to_close(to);
  return function(from, to);
}

extern "C" int dup3(int from, int to, int flags) noexcept {
  static const auto function = kqueue_emulation::next<int(int, int, int)>("dup3");
  if (from != to && ::fcntl(from, F_GETFD) >= 0) about_to_close(to);
  return function(from, to, flags);
}
