// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/fake_socket.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <weir/reactor/bytes.hpp>
#include <weir/reactor/sim/fake_address.hpp>

namespace weir::detail {
namespace {

std::size_t at_most(std::size_t bytes, std::size_t limit) {
  return limit != 0 ? std::min(bytes, limit) : bytes;
}

bool lingers_zero_seconds(const std::string& option) {
  linger value{};
  if (option.size() != sizeof value) return false;
  std::memcpy(&value, option.data(), sizeof value);
  return value.l_onoff != 0 && value.l_linger == 0;
}

}  // namespace

FakeSocket::FakeSocket(int its_family, std::size_t its_capacity_bytes)
    : family(its_family), capacity_bytes(its_capacity_bytes) {
  options[{SOL_SOCKET, SO_TYPE}] = bytes_of(int{SOCK_STREAM});
  options[{SOL_SOCKET, SO_DOMAIN}] = bytes_of(its_family);
}

void FakeSocket::join(const FakeSocketPtr& one, const FakeSocketPtr& other) {
  one->peer = other;
  other->peer = one;
  one->state = other->state = State::connected;
}

bool FakeSocket::readable() const {
  switch (state) {
    case State::fresh: return true;
    case State::listening: return !backlog.empty();
    case State::connecting: return false;
    case State::connected: return !inbox.empty() || ended;
  }
  return false;
}

bool FakeSocket::writable() const {
  switch (state) {
    case State::fresh: return true;
    case State::listening: return false;
    case State::connecting: return false;
    case State::connected: return shut || gone() || room() > 0;
  }
  return false;
}

// The order is Linux's: bytes that came before a reset are read before the reset is told.
IoResult FakeSocket::recv(std::span<const iovec> buffers, std::size_t limit) {
  if (buffers.empty()) return {0, EINVAL};
  if (state == State::fresh || state == State::listening) return {0, ENOTCONN};
  if (inbox.empty()) {
    if (const int told = std::exchange(error, 0)) return {0, told};
    return {0, ended ? 0 : EAGAIN};
  }
  const std::size_t bytes = std::min(at_most(total_bytes(buffers), limit), inbox.size());
  std::size_t copied = 0;
  for (const iovec& buffer : buffers) {
    const std::size_t part = std::min(buffer.iov_len, bytes - copied);
    if (part != 0) std::memcpy(buffer.iov_base, inbox.data() + copied, part);
    copied += part;
  }
  inbox.erase(0, bytes);
  return {static_cast<std::ptrdiff_t>(bytes), 0};
}

IoResult FakeSocket::send(std::span<const iovec> buffers, std::size_t limit) {
  if (state == State::connecting) return {0, EAGAIN};
  if (state != State::connected) return {0, ENOTCONN};
  if (const int told = std::exchange(error, 0)) return {0, told};
  if (shut || gone()) return {0, EPIPE};
  const std::size_t total = total_bytes(buffers);
  const std::size_t bytes = std::min(at_most(total, limit), room());
  if (bytes == 0 && total != 0) return {0, EAGAIN};
  const FakeSocketPtr other = peer.lock();
  std::size_t left = bytes;
  for (const iovec& buffer : buffers) {
    const std::size_t part = std::min(buffer.iov_len, left);
    other->inbox.append(static_cast<const char*>(buffer.iov_base), part);
    left -= part;
  }
  return {static_cast<std::ptrdiff_t>(bytes), 0};
}

void FakeSocket::shut_down() {
  shut = true;
  if (const FakeSocketPtr other = peer.lock()) other->ended = true;
}

void FakeSocket::hang_up(bool abort) {
  if (const FakeSocketPtr other = peer.lock()) {
    if (abort) other->error = ECONNRESET;
    other->ended = true;
    other->peer.reset();
  }
  peer.reset();
  ended = true;
}

void FakeSocket::close() {
  for (const FakeSocketPtr& pending : backlog) pending->hang_up(true);
  hang_up(!inbox.empty() || lingers_zero_seconds(option(SOL_SOCKET, SO_LINGER)));
}

FakeSocketPtr FakeSocket::next_connection() {
  FakeSocketPtr next = std::move(backlog.front());
  backlog.pop_front();
  return next;
}

bool FakeSocket::listens_at(std::string_view address) const {
  return state == State::listening && same_place(local, address);
}

bool FakeSocket::occupies(std::string_view address) const {
  return state != State::connected && !local.empty() && same_place(local, address);
}

std::string FakeSocket::option(int level, int name) {
  if (level == SOL_SOCKET && name == SO_ERROR) return bytes_of(std::exchange(error, 0));
  if (level == SOL_SOCKET && name == SO_ACCEPTCONN) return bytes_of(int{state == State::listening});
  const auto found = options.find({level, name});
  return found != options.end() ? found->second : bytes_of(int{0});
}

std::string FakeSocket::local_name() const { return local.empty() ? any_address(family) : local; }

std::string FakeSocket::remote_name() const {
  return remote.empty() ? any_address(family) : remote;
}

std::size_t FakeSocket::room() const {
  const std::size_t queued = peer.lock()->inbox.size();
  return queued < capacity_bytes ? capacity_bytes - queued : 0;
}

}  // namespace weir::detail
