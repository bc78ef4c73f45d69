// SPDX-License-Identifier: MIT
#include <tests/interop/sockets/sockets.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include <weir/reactor/error.hpp>

namespace weir::test {
namespace {

constexpr int send_buffer_bytes = 64 * 1024;
constexpr int receive_buffer_bytes = 64 * 1024;
constexpr int segment_bytes = 1400;  // peer.py says why.

bool is_unix(const std::vector<std::string>& words) { return words.front() == "unix"; }

void set_option(const Socket& socket, int level, int option, int value) {
  if (::setsockopt(socket.fd(), level, option, &value, sizeof value) != 0) throw_os_error(errno);
}

Socket new_socket(const std::vector<std::string>& words) {
  const int family = is_unix(words) ? AF_UNIX : AF_INET;
  const int protocol = is_unix(words) ? 0 : IPPROTO_TCP;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
  if (fd < 0) throw_os_error(errno);
  Socket made(Kernel::posix(), fd, protocol);
  if (!is_unix(words)) set_option(made, IPPROTO_TCP, TCP_MAXSEG, segment_bytes);
  set_option(made, SOL_SOCKET, SO_SNDBUF, send_buffer_bytes);
  set_option(made, SOL_SOCKET, SO_RCVBUF, receive_buffer_bytes);
  return made;
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address address_of(const std::vector<std::string>& words, int port) {
  Address address;
  if (is_unix(words)) {
    auto* its = reinterpret_cast<sockaddr_un*>(&address.storage);
    its->sun_family = AF_UNIX;
    words.back().copy(its->sun_path, sizeof its->sun_path - 1);
    address.size = sizeof *its;
  } else {
    auto* its = reinterpret_cast<sockaddr_in*>(&address.storage);
    its->sin_family = AF_INET;
    its->sin_port = htons(static_cast<std::uint16_t>(port));
    its->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.size = sizeof *its;
  }
  return address;
}

}  // namespace

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    if (end > start) parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

Socket bound_socket(const std::vector<std::string>& words) {
  Socket listener = new_socket(words);
  const Address address = address_of(words, 0);
  if (::bind(listener.fd(), address.get(), address.size) != 0) throw_os_error(errno);
  return listener;
}

std::string where_of(Socket& listener, const std::vector<std::string>& words) {
  return is_unix(words) ? words.back() : std::to_string(listener.local_endpoint().port());
}

Socket connected_socket(const std::vector<std::string>& words) {
  Socket socket = new_socket(words);
  const Address address = address_of(words, is_unix(words) ? 0 : std::stoi(words.back()));
  // On the loopback interface, and among unix sockets, this is over when connect(2) returns.
  if (::connect(socket.fd(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
    throw_os_error(errno);
  }
  return socket;
}

}  // namespace weir::test
