// SPDX-License-Identifier: MIT
//
// One kqueue: registration and retrieval. The comments in brackets name the place of kqueue(2),
// FreeBSD 14, that a rule is from; "source" is FreeBSD's sys/kern/kern_event.c, where the manual
// page leaves it open.
#include <tests/support/kqueue/queue.hpp>

#include <fcntl.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include <tests/support/kqueue/filters.hpp>

namespace kqueue_emulation {
namespace {

constexpr unsigned actions = EV_ADD | EV_DELETE;
constexpr unsigned known_flags = actions | EV_CLEAR | EV_RECEIPT;
constexpr std::size_t largest_look = 4096;

bool has(const Event& event, unsigned flag) { return (event.flags & flag) != 0; }

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

}  // namespace

void die(const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  std::fprintf(stderr, "kqueue emulation: %s\n", text);
  std::abort();
}

/// What is legal and not emulated dies too: it would silently do something else here.
void Queue::check(const Event& change) {
  if ((change.flags & ~known_flags) != 0) die("flags 0x%x are not emulated", change.flags);
  if ((change.flags & actions) == actions) die("EV_ADD and EV_DELETE in one change");
  if (change.filter == EVFILT_USER) {
    if ((change.fflags & ~static_cast<unsigned>(NOTE_TRIGGER)) != 0) {
      die("fflags 0x%x of EVFILT_USER are not emulated", change.fflags);
    }
    return;
  }
  if (change.filter != EVFILT_READ && change.filter != EVFILT_WRITE) {
    die("filter %d is not emulated", change.filter);
  }
  if (has(change, EV_CLEAR)) die("EV_CLEAR on a descriptor is not emulated: poll the level");
  if (change.fflags != 0 || change.data != 0) die("NOTE_LOWAT is not emulated");
}

int Queue::change(const Event& change) {
  check(change);
  if (change.filter != EVFILT_USER) {
    // [ERRORS, EBADF; source: the descriptor is looked up first, also for EV_DELETE]
    if (change.ident > INT_MAX || !is_open(static_cast<int>(change.ident))) return EBADF;
  }
  if (has(change, EV_DELETE)) return detach(change);
  return attach(change);
}

int Queue::attach(const Event& change) {
  const Key key(change.filter, static_cast<std::intptr_t>(change.ident));
  auto found = knotes_.find(key);
  if (found == knotes_.end()) {
    if (!has(change, EV_ADD)) return ENOENT;  // [ERRORS, ENOENT: "to be modified or deleted"]
    const int fd = static_cast<int>(change.ident);
    if (change.filter != EVFILT_USER) {
      Kind kind{};
      kind_of(fd, kind);
      if (kind == Kind::vnode) die("descriptor %d is a file: vnodes are not emulated", fd);
      // [source, sys_pipe.c: no filter is attached to a pipe that nobody reads]
      if (change.filter == EVFILT_WRITE && is_broken_pipe(fd)) return EPIPE;
    }
    found = knotes_.emplace(key, Knote{}).first;
    found->second.event = change;
    // [source: the actions are not kept, the other flags come back with every event]
    found->second.event.flags = static_cast<decltype(change.flags)>(change.flags & ~actions);
    found->second.event.fflags = 0;
    if (change.filter != EVFILT_USER) watch(fd);
  }
  // [EV_ADD: "Re-adding an existing event will modify the parameters"; EV_KEEPUDATA: without it
  // every change, NOTE_TRIGGER too, replaces udata]
  found->second.event.udata = change.udata;
  if ((change.fflags & NOTE_TRIGGER) != 0) trigger(found->second, true);
  return 0;
}

int Queue::detach(const Event& change) {
  const Key key(change.filter, static_cast<std::intptr_t>(change.ident));
  const auto found = knotes_.find(key);
  if (found == knotes_.end()) return ENOENT;  // [ERRORS, ENOENT]
  trigger(found->second, false);
  std::erase(active_, key);
  knotes_.erase(found);
  if (change.filter != EVFILT_USER) watch(static_cast<int>(change.ident));
  return 0;
}

/// Makes epoll look at what the filters of `fd` need, or at nothing.
void Queue::watch(int fd) {
  epoll_event event{};
  if (knotes_.contains({EVFILT_READ, fd})) event.events |= events_of_read();
  if (knotes_.contains({EVFILT_WRITE, fd})) event.events |= events_of_write();
  event.data.fd = fd;
  const auto slot = static_cast<std::size_t>(fd);
  if (slot >= reports_.size()) reports_.resize(slot + 1);
  if (event.events == 0) {
    ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, &event);
  } else if (::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) != 0 &&
             ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
    die("epoll cannot watch descriptor %d", fd);
  }
}

/// [DESCRIPTION: "Calling close on a file descriptor will remove any kevents that reference the
/// descriptor": this number's, though a dup of it may live on. EV_DELETE says the same.]
void Queue::close(int fd) {
  const std::size_t before = knotes_.size();
  for (const int filter : {EVFILT_READ, EVFILT_WRITE}) {
    const Key key(filter, fd);
    if (knotes_.erase(key) != 0) std::erase(active_, key);
  }
  if (knotes_.size() != before) watch(fd);
}

void Queue::trigger(Knote& knote, bool fire) {
  if (knote.triggered == fire) return;
  knote.triggered = fire;
  eventfd_t value = 0;
  fire ? ::eventfd_write(signal_fd_, 1) : ::eventfd_read(signal_fd_, &value);
}

/// [DESCRIPTION: "The filter is also run when the user attempts to retrieve the kevent"]
bool Queue::evaluate(const Key& key, Knote& knote) {
  const auto [filter, ident] = key;
  if (filter == EVFILT_USER) return knote.triggered;
  const int fd = static_cast<int>(ident);
  const Report& report = reports_.at(static_cast<std::size_t>(fd));
  if (report.look != looks_) return false;
  const Finding found =
      filter == EVFILT_READ ? read_filter(fd, report.events) : write_filter(fd, report.events);
  const unsigned kept = knote.event.flags & ~static_cast<unsigned>(EV_EOF);
  knote.event.flags = static_cast<decltype(Event::flags)>(kept | (found.eof ? EV_EOF : 0U));
  knote.event.fflags = found.error;
  knote.event.data = found.data;
  return found.active;
}

void Queue::enqueue(const Key& key) {
  const auto found = knotes_.find(key);
  if (found == knotes_.end() || found->second.queued || !evaluate(key, found->second)) return;
  found->second.queued = true;
  active_.push_back(key);
}

/// Brings the list of active events up to date: what is new in it comes last.
void Queue::look() {
  seen_.resize(std::clamp(knotes_.size() + 1, std::size_t{1}, largest_look));
  const int found = ::epoll_wait(epoll_fd_, seen_.data(), static_cast<int>(seen_.size()), 0);
  seen_.resize(static_cast<std::size_t>(std::max(found, 0)));
  ++looks_;
  for (const epoll_event& event : seen_) {
    const auto fd = static_cast<std::size_t>(event.data.fd);
    if (fd < reports_.size()) reports_[fd] = {looks_, event.events};
  }
  std::erase_if(active_, [this](const Key& key) {
    Knote& knote = knotes_.at(key);
    knote.queued = evaluate(key, knote);
    return !knote.queued;
  });
  for (const epoll_event& event : seen_) {
    if (event.data.fd == signal_fd_) continue;
    enqueue({EVFILT_WRITE, event.data.fd});
    enqueue({EVFILT_READ, event.data.fd});
  }
  for (auto& [key, knote] : knotes_) {
    if (key.first == EVFILT_USER) enqueue(key);
  }
}

std::size_t Queue::collect(std::span<Event> room) {
  look();
  const std::size_t count = std::min(room.size(), active_.size());
  const auto reported = active_.begin() + static_cast<std::ptrdiff_t>(count);
  for (std::size_t i = 0; i < count; ++i) {
    Knote& knote = knotes_.at(active_[i]);
    room[i] = knote.event;
    // [EV_CLEAR: "Reset the state of the event after it is retrieved by the user"]
    if (!has(knote.event, EV_CLEAR)) continue;
    trigger(knote, false);
    knote.queued = false;
  }
  // What was reported and still holds stands behind what was not (source: kqueue_scan()).
  std::rotate(active_.begin(), reported, active_.end());
  std::erase_if(active_, [this](const Key& key) { return !knotes_.at(key).queued; });
  return count;
}

}  // namespace kqueue_emulation
