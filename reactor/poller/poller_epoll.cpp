// SPDX-License-Identifier: MIT
#include <weir/reactor/poller/poller.hpp>

#include <sys/epoll.h>

#include <array>
#include <bitset>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include <weir/reactor/error.hpp>
#include <weir/reactor/poller/add_ready.hpp>
#include <weir/reactor/poller/wakeup.hpp>
#include <weir/reactor/unique_fd.hpp>

// Facts this file rests on (epoll(7), epoll_ctl(2), epoll_wait(2); seen on Linux 6.18):
//  * A registration belongs to a pair: descriptor number and open file. It ends when the last
//    descriptor of that file is closed. If the number is closed while a dup lives on, it goes on
//    reporting, and nobody can remove it: EPOLL_CTL_DEL says EBADF, or hits the number's next
//    owner. Hence the rule of poller.hpp: unregister first, then close.
//  * EPOLLERR and EPOLLHUP come unasked, also for a registration without any interest. Hence no
//    interest is no registration, and both are told as what the owner waits for, so that its
//    recv() or send() names the error. Nobody here reads SO_ERROR: that would consume the error.
//  * Level-triggered: a descriptor is reported by every wait until it is no longer ready. What did
//    not fit into one batch comes in the next: the kernel moves what it has reported to the back.
//    There it stays until the next wait has looked at it, before all that becomes ready meanwhile:
//    who has just been served, and asks again at once, overtakes those who asked earlier.
//  * The time-out is whole milliseconds. Rounding down would spin through the last one.
//  * Regular files and directories are refused with EPERM: they are always ready.
//  * event.data comes back as it was given. It holds the number and the generation, not a pointer:
//    an event may outlive what a pointer would point to.

namespace weir {
namespace {

/// Events taken from the kernel by one wait. More would let one batch hold the timers up longer.
constexpr std::size_t batch_events = 128;
static_assert(batch_events <= 256, "Registration::place");

int fd_of(const epoll_event& event) noexcept {
  return static_cast<int>(event.data.u64 & 0xffffffffU);
}
std::uint32_t generation_of(const epoll_event& event) noexcept {
  return static_cast<std::uint32_t>(event.data.u64 >> 32U);
}

class EpollPoller final : public Poller {
 public:
  EpollPoller();

  const char* name() const noexcept override { return "epoll"; }
  int set(int fd, std::uint32_t generation, Interest interest) override;
  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override;
  void wake() noexcept override { wakeup_.wake(); }

 private:
  struct Registration {
    std::uint32_t generation = 0;
    Interest interest = Interest::none;
    std::uint8_t place = 0;   // In the last batch of several that it was in,
    std::uint16_t batch = 0;  // and which one that was.
  };

  void put_in_turn(std::span<epoll_event> events) noexcept;
  int tell(std::span<const epoll_event> events, std::vector<Ready>& ready);
  int tell_with_care(std::span<const epoll_event> events, std::vector<Ready>& ready);
  Registration known(int fd) const noexcept;
  int apply(int fd, Registration before, Registration after) noexcept;
  int control(int operation, int fd, Registration registration) noexcept;
  Ready ready_of(const epoll_event& event) const noexcept;

  UniqueFd epoll_fd_;
  detail::Wakeup wakeup_;
  std::uint16_t batch_ = 1;                  // No registration has been in one yet.
  std::vector<Registration> registrations_;  // By descriptor: what the kernel has been told.
  std::array<epoll_event, batch_events> events_;
};

EpollPoller::EpollPoller() : events_() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw_os_error(errno);
  epoll_fd_ = UniqueFd(Kernel::posix(), fd);
  const int error = control(EPOLL_CTL_ADD, wakeup_.fd(), {0, Interest::read});
  if (error != 0) throw_os_error(error);
}

int EpollPoller::set(int fd, std::uint32_t generation, Interest interest) {
  const Registration before = known(fd);
  Registration after;
  if (interest != Interest::none) after = {generation, interest, before.place, before.batch};
  if (before.interest == after.interest && before.generation == after.generation) {
    return 0;  // The kernel knows: no system call.
  }
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

// BYTE 1/7: the kernel names the ready fds. Next: EventLoop::dispatch (reactor/event_loop.cpp)
int EpollPoller::wait(std::optional<Duration> timeout, std::vector<Ready>& ready) {
  const int count = ::epoll_wait(epoll_fd_.get(), events_.data(), static_cast<int>(events_.size()),
                                 detail::timeout_ms(timeout));
  if (count < 0) return errno == EINTR ? 0 : errno;  // A handler ran; what it did is not our news.
  const std::span events = std::span(events_).first(static_cast<std::size_t>(count));
  if (events.size() > 1) put_in_turn(events);
  return tell(events, ready);
}

/// Who was told of least recently comes first: those who were not in the last batch of several, as
/// they became ready; then those who were, in its order. docs/adr/0018-least-recently-told-first.md
[[gnu::noinline]] void EpollPoller::put_in_turn(std::span<epoll_event> events) noexcept {
  std::array<epoll_event, batch_events> again;  // By their places in the batch before.
  std::bitset<batch_events> places;
  std::size_t end = 0;
  for (const epoll_event& event : events) {
    const Registration its = known(fd_of(event));
    // Two of one place: of a number that was closed while a dup lived on, and its next owner.
    if (its.batch == batch_ && !places.test(its.place)) {
      again[its.place] = event;
      places.set(its.place);
    } else {
      events[end++] = event;
    }
  }
  for (std::size_t place = 0; end < events.size(); ++place) {
    if (places.test(place)) events[end++] = again[place];
  }
  ++batch_;
  std::uint8_t place = 0;
  for (const epoll_event& event : events) {
    const auto slot = static_cast<std::size_t>(fd_of(event));
    if (slot < registrations_.size()) {  // Else it is the wake-up's descriptor.
      registrations_[slot].batch = batch_;
      registrations_[slot].place = place;
    }
    ++place;
  }
}

/// Returns 0. As long as nothing is unusual, this calls nothing that returns, and so saves no
/// register.
inline int EpollPoller::tell(std::span<const epoll_event> events, std::vector<Ready>& ready) {
  for (; !events.empty(); events = events.subspan(1)) {
    const epoll_event& event = events.front();
    const bool broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    // Asked like this, so that the compiler sees that emplace_back() need not grow.
    const bool full = ready.size() == ready.capacity();
    if (broken || full || fd_of(event) == wakeup_.fd()) [[unlikely]]
      return tell_with_care(events, ready);
    // Made where it stays: of a copy, the two bytes at its end would be stored, and loaded as one
    // word at once, which stalls.
    ready.emplace_back(fd_of(event), generation_of(event), (event.events & EPOLLIN) != 0,
                       (event.events & EPOLLOUT) != 0);
  }
  return 0;
}

/// The same, whatever they are.
[[gnu::noinline]] int EpollPoller::tell_with_care(std::span<const epoll_event> events,
                                                  std::vector<Ready>& ready) {
  for (const epoll_event& event : events) {
    if (fd_of(event) == wakeup_.fd()) {
      wakeup_.consume();
    } else if (!detail::add_ready(ready, ready_of(event))) {
      break;  // There is no room for more.
    }
  }
  return 0;
}

EpollPoller::Registration EpollPoller::known(int fd) const noexcept {
  const auto slot = static_cast<std::size_t>(fd);  // A negative number becomes one past any table.
  return slot < registrations_.size() ? registrations_[slot] : Registration();
}

/// Takes the kernel from `before` to `after`, which differ. Where the kernel turns out to know
/// something else, because a descriptor was closed or replaced behind our back, `after` wins.
int EpollPoller::apply(int fd, Registration before, Registration after) noexcept {
  if (after.interest == Interest::none) {
    // ENOENT or EBADF: closed before it was unregistered, so the kernel forgot it by itself.
    control(EPOLL_CTL_DEL, fd, after);
    return 0;
  }
  if (before.interest == Interest::none) {
    const int error = control(EPOLL_CTL_ADD, fd, after);
    // EEXIST: a registration that a dup kept alive, and the number leads to that file again.
    return error == EEXIST ? control(EPOLL_CTL_MOD, fd, after) : error;
  }
  const int error = control(EPOLL_CTL_MOD, fd, after);
  // ENOENT: closed while registered, and the number belongs to a new file now.
  return error == ENOENT ? control(EPOLL_CTL_ADD, fd, after) : error;
}

int EpollPoller::control(int operation, int fd, Registration registration) noexcept {
  epoll_event event{};
  event.events = (wants_read(registration.interest) ? static_cast<std::uint32_t>(EPOLLIN) : 0U) |
                 (wants_write(registration.interest) ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
  event.data.u64 = (std::uint64_t{registration.generation} << 32U) | static_cast<std::uint32_t>(fd);
  return ::epoll_ctl(epoll_fd_.get(), operation, fd, &event) < 0 ? errno : 0;
}

Ready EpollPoller::ready_of(const epoll_event& event) const noexcept {
  const int fd = fd_of(event);
  const std::uint32_t generation = generation_of(event);
  const bool readable = (event.events & EPOLLIN) != 0;
  const bool writable = (event.events & EPOLLOUT) != 0;
  // Unless something broke, the kernel tells of nothing but what it was asked for.
  if ((event.events & (EPOLLERR | EPOLLHUP)) == 0) return {fd, generation, readable, writable};
  const Registration registration = known(fd);
  // An orphan of an earlier generation is told in full: its generation makes the caller drop it.
  const Interest interest =
      registration.generation == generation ? registration.interest : Interest::read_write;
  return {fd, generation, wants_read(interest), wants_write(interest)};
}

}  // namespace

std::unique_ptr<Poller> make_epoll_poller() { return std::make_unique<EpollPoller>(); }

}  // namespace weir
