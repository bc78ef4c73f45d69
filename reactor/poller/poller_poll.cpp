// SPDX-License-Identifier: MIT
#include <weir/reactor/poller/poller.hpp>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include <weir/reactor/poller/add_ready.hpp>
#include <weir/reactor/poller/refusal.hpp>
#include <weir/reactor/poller/wakeup.hpp>

// Facts this file rests on (poll(2), POSIX):
//  * The kernel remembers nothing: every call gets the whole list, and walks it. That makes this
//    the plain reference for the other back ends, and slow with many descriptors.
//  * POLLERR and POLLHUP come unasked. Both are told as what the owner waits for, so that its
//    recv() or send() names the error.
//  * A closed descriptor is POLLNVAL, at once and for ever. epoll forgets such a one; so do we.
//  * Any descriptor is taken. fstat() finds those that epoll refuses: closed ones, and files.
//  * The time-out is whole milliseconds. Rounding down would spin through the last one.

namespace weir {
namespace {

class PollPoller final : public Poller {
 public:
  PollPoller() {
    watched_.push_back({wakeup_.fd(), POLLIN, 0});
    generations_.push_back(0);
  }

  const char* name() const noexcept override { return "poll"; }
  int set(int fd, std::uint32_t generation, Interest interest) override;
  int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) override;
  void wake() noexcept override { wakeup_.wake(); }

 private:
  std::size_t place_of(int fd) const noexcept;
  void add(int fd);
  void remove(std::size_t place) noexcept;

  detail::Wakeup wakeup_;
  // Two arrays in step: the kernel wants its own dense. Place 0 is the wake-up descriptor's.
  std::vector<pollfd> watched_;
  std::vector<std::uint32_t> generations_;
  std::vector<std::uint32_t> places_;  // By descriptor: its place in watched_, or 0 for none.
};

Ready ready_of(const pollfd& entry, std::uint32_t generation) {
  const bool broken = (entry.revents & (POLLERR | POLLHUP)) != 0;
  return {entry.fd, generation,
          (entry.events & POLLIN) != 0 && (broken || (entry.revents & POLLIN) != 0),
          (entry.events & POLLOUT) != 0 && (broken || (entry.revents & POLLOUT) != 0)};
}

int PollPoller::set(int fd, std::uint32_t generation, Interest interest) {
  std::size_t place = place_of(fd);
  if (interest == Interest::none) {
    if (place != 0) remove(place);
    return 0;
  }
  if (place == 0) {
    const int error = detail::refusal(fd);
    if (error != 0) return error;
    try {
      add(fd);
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
    place = place_of(fd);
  }
  watched_[place].events = static_cast<short>((wants_read(interest) ? POLLIN : 0) |
                                              (wants_write(interest) ? POLLOUT : 0));
  generations_[place] = generation;
  return 0;
}

int PollPoller::wait(std::optional<Duration> timeout, std::vector<Ready>& ready) {
  const int count =
      ::poll(watched_.data(), static_cast<nfds_t>(watched_.size()), detail::timeout_ms(timeout));
  if (count < 0) return errno == EINTR ? 0 : errno;  // A handler ran; what it did is not our news.
  if (count == 0) return 0;
  if (watched_[0].revents != 0) wakeup_.consume();
  for (std::size_t place = 1; place < watched_.size();) {
    const pollfd& entry = watched_[place];
    if ((entry.revents & POLLNVAL) != 0) {
      remove(place);  // Puts the last entry here: look at this place again.
      continue;
    }
    if (entry.revents != 0 && !detail::add_ready(ready, ready_of(entry, generations_[place]))) {
      break;
    }
    ++place;
  }
  return 0;
}

std::size_t PollPoller::place_of(int fd) const noexcept {
  const auto slot = static_cast<std::size_t>(fd);  // A negative number becomes one past any table.
  return slot < places_.size() ? places_[slot] : 0;
}

/// `fd` is open, hence below RLIMIT_NOFILE: no wild number makes the table huge. Only a number that
/// is greater than all before needs memory, for there is room for an entry of each: a descriptor
/// that was watched once can always be watched again.
void PollPoller::add(int fd) {
  const auto slot = static_cast<std::size_t>(fd);
  if (slot >= places_.size()) {
    const std::size_t room = std::max(slot + 2, 2 * places_.size());
    watched_.reserve(room);
    generations_.reserve(room);
    places_.resize(slot + 1);
  }
  generations_.resize(watched_.size() + 1);
  watched_.push_back({fd, 0, 0});
  places_[slot] = static_cast<std::uint32_t>(watched_.size() - 1);
}

void PollPoller::remove(std::size_t place) noexcept {
  places_[static_cast<std::size_t>(watched_[place].fd)] = 0;
  if (place != watched_.size() - 1) {
    watched_[place] = watched_.back();
    generations_[place] = generations_[watched_.size() - 1];
    places_[static_cast<std::size_t>(watched_[place].fd)] = static_cast<std::uint32_t>(place);
  }
  watched_.pop_back();
  generations_.resize(watched_.size());
}

}  // namespace

std::unique_ptr<Poller> make_poll_poller() { return std::make_unique<PollPoller>(); }

}  // namespace weir
