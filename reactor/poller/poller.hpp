// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// What somebody wants to hear about a descriptor.
enum class Interest : std::uint8_t { none = 0, read = 1, write = 2, read_write = 3 };

constexpr bool wants_read(Interest interest) noexcept {
  return (static_cast<unsigned>(interest) & 1U) != 0;
}
constexpr bool wants_write(Interest interest) noexcept {
  return (static_cast<unsigned>(interest) & 2U) != 0;
}
constexpr Interest interest_of(bool read, bool write) noexcept {
  return static_cast<Interest>((read ? 1U : 0U) | (write ? 2U : 0U));
}

/// One descriptor that is ready, at most once in a batch. A hang-up or an error counts as both, as
/// far as both are wanted, so that recv() or send() names it.
struct Ready {
  int fd;
  std::uint32_t generation;  // As it was given to set(); stale ones are the caller's to drop.
  bool readable;
  bool writable;
};

/// Asks the kernel which descriptors are ready. Level-triggered: what is not consumed is reported
/// again.
///
/// Threads   Loop thread, but for wake().
/// Lifetime  Owns its kernel object. A descriptor must be unregistered (set to none) before it is
///           closed: a dup of it would otherwise stay registered for ever.
/// Source    epoll(7), kqueue(2), poll(2); the files beside this one state the facts that they rest
///           on.
class Poller {
 public:
  Poller() = default;
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  virtual ~Poller() = default;

  /// The back end's name: "epoll", "poll", "kqueue", "fake".
  virtual const char* name() const noexcept = 0;

  /// Registers, changes or (none) forgets `fd`. The generation comes back with every event of it.
  ///
  /// Errors    Returns 0 or errno (EPERM: a regular file; EBADF; ENOMEM; ENOSPC). Forgetting never
  ///           fails.
  virtual int set(int fd, std::uint32_t generation, Interest interest) = 0;

  /// Waits until something is ready, the time-out has passed, or wake() was called; appends to
  /// `ready`.
  ///
  /// Units     No time-out waits for ever; zero or less only looks. Rounded up to what the kernel
  ///           can do: never early, but after a day it looks again.
  /// Errors    Returns 0 or errno. A signal that interrupts the wait is 0 and nothing ready.
  virtual int wait(std::optional<Duration> timeout, std::vector<Ready>& ready) = 0;

  /// Ends the current wait, or the next one at once. Wake-ups merge.
  ///
  /// Threads   Any thread, any signal handler: async-signal-safe, keeps errno.
  virtual void wake() noexcept = 0;
};

/// The back ends; a build has those of its system. Each throws OSError if the kernel refuses
/// (EMFILE, ENOMEM).
std::unique_ptr<Poller> make_epoll_poller();
std::unique_ptr<Poller> make_kqueue_poller();
std::unique_ptr<Poller> make_poll_poller();

/// The best one, or the one that the environment variable WEIR_POLLER names.
///
/// Errors    ValueError  WEIR_POLLER names none of those built in; the text lists them.
std::unique_ptr<Poller> make_default_poller();

namespace detail {
/// One wait lasts a day at most: CPython 3.13 base_events.py MAXIMUM_SELECT_TIMEOUT. Then the
/// caller looks at its clock again. Fits an int of milliseconds.
inline constexpr Duration max_wait = std::chrono::hours(24);

/// A time-out as poll(2) and epoll_wait(2) take it: -1 for ever, else milliseconds, rounded up.
constexpr int timeout_ms(std::optional<Duration> timeout) noexcept {
  if (!timeout) return -1;
  if (*timeout <= Duration::zero()) return 0;
  const Duration bounded = *timeout < max_wait ? *timeout : max_wait;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(bounded).count());
}

}  // namespace detail

}  // namespace weir
