// SPDX-License-Identifier: MIT
#include <weir/net/socket.hpp>

namespace weir {
namespace {

int option_or(Kernel& kernel, int fd, int option, int otherwise) {
  int value = 0;
  std::uint32_t length = sizeof value;
  return kernel.getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : otherwise;
}

template <class Ask>
Endpoint endpoint_from(Ask&& ask) {
  sockaddr_storage storage{};
  std::uint32_t length = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  return ask(address, &length) == 0 ? Endpoint(address, length) : Endpoint();
}

}  // namespace

Socket::Socket(Kernel& kernel, int fd, int protocol)
    : fd_(kernel, fd), protocol_(static_cast<std::uint16_t>(protocol)) {
  type_ = static_cast<std::uint8_t>(option_or(kernel, fd, SO_TYPE, 0));
  family_ = static_cast<std::uint8_t>(local_endpoint().family());
  // Only a socket: others may share the open file of a terminal or a pipe, and the flag with it.
  if (type_ != 0) static_cast<void>(kernel.set_nonblocking(fd));
}

Socket Socket::open(Kernel& kernel, int family, int type, int protocol, int& error) {
  Socket socket;
  const IoResult made = kernel.socket(family, type, protocol);
  error = made.error;
  if (!made.ok()) return socket;
  socket.fd_ = UniqueFd(kernel, static_cast<int>(made.value));
  socket.family_ = static_cast<std::uint8_t>(family);
  socket.type_ = static_cast<std::uint8_t>(type);
  socket.protocol_ = static_cast<std::uint16_t>(protocol);
  return socket;
}

Socket Socket::accept(Endpoint& peer, int& error) {
  sockaddr_storage storage{};
  std::uint32_t length = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  const IoResult got = kernel().accept(fd(), address, &length);
  Socket accepted;
  error = got.error;
  if (!got.ok()) return accepted;
  accepted.fd_ = UniqueFd(kernel(), static_cast<int>(got.value));
  peer = Endpoint(address, length);  // May throw: the descriptor has its owner by now.
  accepted.family_ = family_;
  accepted.type_ = type_;
  accepted.protocol_ = protocol_;
  return accepted;
}

int Socket::bind(const Endpoint& address) {
  sockaddr_storage storage{};
  const socklen_t length = address.copy_to(storage);
  return kernel().bind(fd(), reinterpret_cast<const sockaddr*>(&storage), length);
}

int Socket::connect(const Endpoint& address) {
  sockaddr_storage storage{};
  const socklen_t length = address.copy_to(storage);
  return kernel().connect(fd(), reinterpret_cast<const sockaddr*>(&storage), length);
}

int Socket::set_option(int level, int option, int value) {
  return kernel().setsockopt(fd(), level, option, &value, sizeof value);
}

IoResult Socket::get_option(int level, int option) {
  int value = 0;
  std::uint32_t length = sizeof value;
  const int error = kernel().getsockopt(fd(), level, option, &value, &length);
  return {value, error};
}

Endpoint Socket::local_endpoint() {
  return endpoint_from(
      [this](sockaddr* a, std::uint32_t* n) { return kernel().getsockname(fd(), a, n); });
}

Endpoint Socket::remote_endpoint() {
  return endpoint_from(
      [this](sockaddr* a, std::uint32_t* n) { return kernel().getpeername(fd(), a, n); });
}

std::string Socket::repr() const {
  return "<Socket fd=" + std::to_string(fd()) + ", family=" + std::to_string(family_) +
         ", type=" + std::to_string(type_) + ", proto=" + std::to_string(protocol_) + ">";
}

}  // namespace weir
