// Internal: used by the emulation of kqueue.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace kqueue_emulation {

/// What lies behind a descriptor, as far as the filters tell kinds apart.
enum class Kind : std::uint8_t { socket, listener, pipe, other, vnode };

/// What a filter says of a descriptor: kqueue(2), EVFILT_READ and EVFILT_WRITE.
struct Finding {
  bool active = false;
  bool eof = false;         // EV_EOF
  std::uint32_t error = 0;  // fflags: the socket error
  std::int64_t data = 0;    // bytes to be read, connections to be accepted, room to write
};

/// Errors    -1: closed.
int kind_of(int fd, Kind& kind) noexcept;

/// `events` is what epoll reports of `fd`.
Finding read_filter(int fd, std::uint32_t events) noexcept;
Finding write_filter(int fd, std::uint32_t events) noexcept;

/// What a filter asks epoll for.
std::uint32_t events_of_read() noexcept;
std::uint32_t events_of_write() noexcept;

/// The write end of a pipe without a reader, which no filter can be attached to.
bool is_broken_pipe(int fd) noexcept;

}  // namespace kqueue_emulation
