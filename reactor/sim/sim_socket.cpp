// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/sim_socket.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <weir/reactor/bytes.hpp>
#include <weir/reactor/sim/fake_address.hpp>

namespace weir::detail {
SimSocket::SimSocket(std::uint64_t its_id, int its_family, std::size_t its_capacity_bytes)
    : id(its_id), family(its_family), capacity_bytes(its_capacity_bytes) {}

void SimSocket::join(const SimSocketPtr& one, const SimSocketPtr& other) {
  one->peer = other;
  other->peer = one;
  one->state = other->state = State::connected;
}

bool SimSocket::readable() const {
  switch (state) {
    case State::fresh: return true;
    case State::listening: return !backlog.empty();
    case State::connecting: return false;
    case State::connected: return unread() != 0 || end_arrived || dead;
  }
  return false;
}

bool SimSocket::writable() const {
  switch (state) {
    case State::fresh: return true;
    case State::listening: return false;
    case State::connecting: return false;
    case State::connected: return shut || dead || error != 0 || deserted() || room() != 0;
  }
  return false;
}

std::size_t SimSocket::room() const {
  const SimSocketPtr other = peer.lock();
  if (other == nullptr) return capacity_bytes;  // Nobody takes it: the answer is on its way.
  const std::size_t queued = other->coming_bytes + other->unread();
  return queued < capacity_bytes ? capacity_bytes - queued : 0;
}

// The order is Linux's: bytes that came before a reset are read before the reset is told. After the
// peer's end of the stream TCP does not tell it here any more (tcp_recvmsg), unix sockets do.
IoResult SimSocket::recv(std::span<const iovec> buffers, std::size_t limit) {
  if (state == State::fresh && error != 0) return {0, std::exchange(error, 0)};
  if (state == State::fresh || state == State::listening) return {0, ENOTCONN};
  if (unread() == 0) {
    if (end_arrived && family != AF_UNIX) return {0, 0};
    if (const int told = std::exchange(error, 0)) return {0, told};
    return {0, end_arrived || dead ? 0 : EAGAIN};
  }
  const std::size_t bytes = std::min(limit, unread());
  std::size_t copied = 0;
  for (const iovec& buffer : buffers) {
    const std::size_t part = std::min(buffer.iov_len, bytes - copied);
    if (part != 0) std::memcpy(buffer.iov_base, inbox.data() + consumed + copied, part);
    copied += part;
  }
  consumed += copied;
  if (unread() == 0) {
    inbox.clear();
    consumed = 0;
  }
  return {static_cast<std::ptrdiff_t>(copied), 0};
}

int SimSocket::refusal() {
  if (state == State::connecting) return EAGAIN;
  if (state != State::connected) return error != 0 ? std::exchange(error, 0) : ENOTCONN;
  if (const int told = std::exchange(error, 0)) return told;
  return shut || dead || deserted() ? EPIPE : 0;
}

bool SimSocket::deserted() const {
  if (family != AF_UNIX) return false;
  const SimSocketPtr other = peer.lock();
  return other == nullptr || other->closed;
}

bool SimSocket::arrive(const SimSegment& segment) {
  if (dead) return true;
  switch (segment.kind) {
    case SimSegment::Kind::bytes:
      if (closed) return false;
      inbox += segment.bytes;
      break;
    case SimSegment::Kind::end: end_arrived = true; break;
    case SimSegment::Kind::reset:
      // tcp_reset: EPIPE in CLOSE_WAIT.
      error = end_arrived && family != AF_UNIX ? EPIPE : ECONNRESET;
      dead = true;
      break;
  }
  return true;
}

bool SimSocket::listens_at(std::string_view address) const {
  return state == State::listening && same_place(local, address);
}

bool SimSocket::occupies(std::string_view address) const {
  return state != State::connected && !local.empty() && same_place(local, address);
}

bool SimSocket::lingers_zero_seconds() const {
  const auto found = options.find({SOL_SOCKET, SO_LINGER});
  linger value{};
  if (found == options.end() || found->second.size() != sizeof value) return false;
  std::memcpy(&value, found->second.data(), sizeof value);
  return value.l_onoff != 0 && value.l_linger == 0;
}

std::string SimSocket::option(int level, int name) {
  if (level == SOL_SOCKET && name == SO_ERROR) return bytes_of(std::exchange(error, 0));
  if (level == SOL_SOCKET && name == SO_ACCEPTCONN) return bytes_of(int{state == State::listening});
  if (level == SOL_SOCKET && name == SO_TYPE) return bytes_of(int{SOCK_STREAM});
  if (level == SOL_SOCKET && name == SO_DOMAIN) return bytes_of(family);
  const auto found = options.find({level, name});
  return found != options.end() ? found->second : bytes_of(int{0});
}

std::string SimSocket::local_name() const { return local.empty() ? any_address(family) : local; }

std::string SimSocket::remote_name() const { return remote.empty() ? any_address(family) : remote; }

}  // namespace weir::detail
