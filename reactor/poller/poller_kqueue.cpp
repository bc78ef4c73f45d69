// SPDX-License-Identifier: MIT
#include <weir/reactor/poller/poller.hpp>

#include <fcntl.h>
#include <sys/event.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <new>
#include <span>

#include <weir/reactor/error.hpp>
#include <weir/reactor/poller/add_ready.hpp>
#include <weir/reactor/poller/refusal.hpp>
#include <weir/reactor/unique_fd.hpp>

// Facts this file rests on (kqueue(2) of FreeBSD 14 and of macOS; no such kernel has run it yet):
//  * A registration belongs to a pair: descriptor number and filter. Reading and writing are two
//    filters, that come and go one by one and report one by one, in any order: wait() makes one
//    Ready of the two.
//  * It ends when the number is closed, whether or not a dup of it lives on. So EV_DELETE may find
//    nothing (ENOENT), or no descriptor (EBADF): then all is as it should be.
//  * EV_ADD of what is there changes it: udata becomes the new one. No event is told twice.
//  * A change that fails ends the call, and hides what became of the others, unless each carries
//    EV_RECEIPT: then every change has an answer, EV_ERROR with errno or 0 in data, in the order of
//    the changes, and the call does not wait. There must be room for all answers: without it, what
//    follows is not even tried.
//  * EV_EOF says that no more will come (or can be sent), while bytes may still lie there. It is
//    told as readiness: recv() gives the bytes first and names the end, or the error, after them.
//    The error in fflags is left alone for the same reason.
//  * Without EV_CLEAR, level-triggered: what has been reported goes to the end of the queue, and
//    comes again while it holds. Hence the two filters of a descriptor can be in two batches.
//  * EVFILT_USER belongs to no descriptor; NOTE_TRIGGER fires it from any thread. kevent() is one
//    system call, so a signal handler may do it. With EV_CLEAR it is silent once it was reported.
//  * The time-out is a timespec: nothing to round. A kernel may wait longer, never less.
//  * Regular files are taken, and are readable before their end: refusal() keeps them out, as epoll
//    does. The write end of a pipe that nobody reads is refused with EPIPE when it is added.
//  * udata comes back as it was given last. It holds the generation, not a pointer: an event may
//    outlive what a pointer would point to.
//  * A child of fork() has no kqueue. exec() without fork() would keep it: hence FD_CLOEXEC.

namespace weir {
namespace {

/// Events taken from the kernel by one wait. More would let one batch hold the timers up longer.
constexpr std::size_t batch_events = 256;  // Two for a descriptor that can be read and written.

using Event = struct kevent;  // The function has the same name.
using Filter = decltype(Event::filter);
using Flags = decltype(Event::flags);

class KqueuePoller final : public Poller {
 public:
  KqueuePoller();

  const char* name() const noexcept override { return "kqueue"; }
  int set(int fd, std::uint32_t generation, Interest interest) override;
  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override;
  void wake() noexcept override;

 private:
  struct Registration {
    std::uint32_t generation = 0;
    Interest interest = Interest::none;
    // Where in the list of this batch its Ready stands; of an older batch, anywhere.
    std::uint32_t place = 0;
  };

  Registration known(int fd) const noexcept;
  int apply(int fd, Registration before, Registration after) noexcept;
  int move(int fd, Registration before, Registration after) noexcept;
  int control(std::span<const Event> changes) noexcept;
  void merge(const Event& event, std::size_t batch_begin, std::vector<Ready>& ready);

  UniqueFd kqueue_fd_;
  // True from a wake() until wait() has seen it. What the waker wrote before is seen by then.
  std::atomic<bool> woken_ = false;
  static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch woken_");
  std::vector<Registration> registrations_;  // By descriptor: what the kernel has been told.
  std::array<Event, batch_events> events_;
};

Event make_event(std::uintptr_t ident, Filter filter, Flags flags) {
  Event event{};
  event.ident = ident;
  event.filter = filter;
  event.flags = flags;
  return event;
}

timespec timespec_of(Duration timeout) {
  using std::chrono::seconds;
  const Duration bounded = std::clamp(timeout, Duration::zero(), detail::max_wait);
  const auto whole = std::chrono::floor<seconds>(bounded);
  timespec result{};
  result.tv_sec = static_cast<time_t>(whole.count());
  result.tv_nsec = static_cast<decltype(timespec::tv_nsec)>((bounded - whole).count());
  return result;
}

KqueuePoller::KqueuePoller() : events_() {
  const int fd = ::kqueue();
  if (fd < 0) throw_os_error(errno);
  kqueue_fd_ = UniqueFd(Kernel::posix(), fd);
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) throw_os_error(errno);
  const Event wake_up = make_event(0, EVFILT_USER, EV_ADD | EV_CLEAR | EV_RECEIPT);
  const int error = control({&wake_up, 1});
  if (error != 0) throw_os_error(error);
}

int KqueuePoller::set(int fd, std::uint32_t generation, Interest interest) {
  const Registration before = known(fd);
  const Registration after =
      interest == Interest::none ? Registration() : Registration{generation, interest, 0};
  if (before.generation == after.generation && before.interest == after.interest) return 0;
  const int error = apply(fd, before, after);
  const auto slot = static_cast<std::size_t>(fd);
  if (error != 0) {
    // EBADF: closed while registered. The kernel has forgotten it; so do we.
    if (error == EBADF && slot < registrations_.size()) registrations_[slot] = {};
    return error;
  }
  try {
    // After the call to the kernel: a number that it takes is below RLIMIT_NOFILE, so that no wild
    // number makes this table huge.
    if (slot >= registrations_.size()) registrations_.resize(slot + 1);
  } catch (const std::bad_alloc&) {
    apply(fd, after, {});
    return ENOMEM;
  }
  registrations_[slot] = after;
  return 0;
}

int KqueuePoller::wait(std::optional<Duration> timeout, std::vector<Ready>& ready) {
  const timespec limit = timespec_of(timeout.value_or(Duration::zero()));
  const int count = ::kevent(kqueue_fd_.get(), nullptr, 0, events_.data(),
                             static_cast<int>(events_.size()), timeout ? &limit : nullptr);
  if (count < 0) return errno == EINTR ? 0 : errno;  // A handler ran; what it did is not our news.
  const std::size_t batch_begin = ready.size();
  for (const Event& event : std::span(events_).first(static_cast<std::size_t>(count))) {
    if (event.filter == EVFILT_USER) {
      // A wake() between the report and here was merged: the caller is about to look.
      woken_.exchange(false, std::memory_order_acq_rel);
    } else {
      merge(event, batch_begin, ready);
    }
  }
  return 0;
}

void KqueuePoller::wake() noexcept {
  // Release: what the caller wrote before is seen by whoever waits, even if this call is merged.
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  const int saved_errno = errno;
  Event trigger = make_event(0, EVFILT_USER, 0);
  trigger.fflags = NOTE_TRIGGER;
  if (::kevent(kqueue_fd_.get(), &trigger, 1, nullptr, 0, nullptr) < 0) woken_.store(false);
  errno = saved_errno;
}

KqueuePoller::Registration KqueuePoller::known(int fd) const noexcept {
  const auto slot = static_cast<std::size_t>(fd);  // A negative number becomes one past any table.
  return slot < registrations_.size() ? registrations_[slot] : Registration();
}

/// Takes the kernel from `before` to `after`, which differ; back again if one of the two filters
/// is refused.
int KqueuePoller::apply(int fd, Registration before, Registration after) noexcept {
  if (before.interest == Interest::none) {
    const int error = detail::refusal(fd);
    if (error != 0) return error;
  }
  const int error = move(fd, before, after);
  if (error != 0) move(fd, after, before);
  return error;
}

/// Where the kernel turns out to know something else, because a descriptor was closed or replaced
/// behind our back, `after` wins: what is wanted is always added, never taken for granted.
int KqueuePoller::move(int fd, Registration before, Registration after) noexcept {
  std::array<Event, 2> changes{};
  std::size_t count = 0;
  const auto change = [&](Filter filter, bool was_wanted, bool is_wanted) {
    if (!was_wanted && !is_wanted) return;
    Event& next = changes[count++];
    next = make_event(static_cast<std::uintptr_t>(fd), filter,
                      static_cast<Flags>((is_wanted ? EV_ADD : EV_DELETE) | EV_RECEIPT));
    // NOLINTNEXTLINE(performance-no-int-to-ptr): nobody follows it; it comes back as it went.
    next.udata = reinterpret_cast<void*>(std::uintptr_t{after.generation});
  };
  change(EVFILT_READ, wants_read(before.interest), wants_read(after.interest));
  change(EVFILT_WRITE, wants_write(before.interest), wants_write(after.interest));
  return control(std::span(changes).first(count));
}

/// 0, or why an EV_ADD failed. An EV_DELETE cannot: what it should end is gone at any rate.
int KqueuePoller::control(std::span<const Event> changes) noexcept {
  std::array<Event, 2> receipts{};
  const int count = ::kevent(kqueue_fd_.get(), changes.data(), static_cast<int>(changes.size()),
                             receipts.data(), static_cast<int>(changes.size()), nullptr);
  if (count < 0) return errno;
  int error = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    if ((changes[i].flags & EV_ADD) != 0 && receipts[i].data != 0) {
      error = static_cast<int>(receipts[i].data);
    }
  }
  return error;
}

/// Adds what one filter has to say to the Ready of its descriptor.
void KqueuePoller::merge(const Event& event, std::size_t batch_begin, std::vector<Ready>& ready) {
  const auto slot = static_cast<std::size_t>(event.ident);
  if (slot >= registrations_.size()) return;
  const int fd = static_cast<int>(event.ident);
  const auto generation = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(event.udata));
  // The place may be of another batch: it is ours if it is in this one, and says our number.
  std::uint32_t& place = registrations_[slot].place;
  if (place < batch_begin || place >= ready.size() || ready[place].fd != fd) {
    place = static_cast<std::uint32_t>(ready.size());
    if (!detail::add_ready(ready, {fd, generation, false, false})) return;
  }
  if (event.filter == EVFILT_READ) ready[place].readable = true;
  if (event.filter == EVFILT_WRITE) ready[place].writable = true;
}

}  // namespace

std::unique_ptr<Poller> make_kqueue_poller() { return std::make_unique<KqueuePoller>(); }

}  // namespace weir
