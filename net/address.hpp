// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// A socket address as a value: IPv4, IPv6, or a unix path.
///
/// Shape     repr() is what Python prints: ('127.0.0.1', 8888), ('::1', 8888, 0, 0), or the quoted
///           path.
/// Units     port() in host order.
class Endpoint {
 public:
  /// Of no family; port 0, empty host.
  Endpoint() = default;

  /// Copies a kernel's address. A family that weir does not know keeps nothing but its number.
  Endpoint(const sockaddr* address, socklen_t length);

  /// A numeric address; nothing if `host` is not one. No name is looked up, and no short form is
  /// taken: "127.1" and "0x7f.1" are not numeric addresses here, whatever getaddrinfo() thinks of
  /// them.
  static std::optional<Endpoint> parse(std::string_view host, std::uint16_t port);

  int family() const noexcept;
  std::string host() const;
  std::uint16_t port() const noexcept;
  /// The same address with another port.
  Endpoint with_port(std::uint16_t port) const;
  std::string repr() const;

  /// For bind() and connect(): an IPv4 or IPv6 address. Of anything else the size is 0, which they
  /// refuse.
  const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(bytes_); }
  socklen_t size() const noexcept;

  friend bool operator==(const Endpoint& a, const Endpoint& b) noexcept;

 private:
  // sockaddr_in6, the larger of the two that are sent to the kernel from here; the path of a unix
  // socket goes aside.
  static constexpr std::size_t max_bytes = 28;
  alignas(8) unsigned char bytes_[max_bytes] = {};
  socklen_t size_ = 0;
  std::string path_;
};

}  // namespace weir
