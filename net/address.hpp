// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <weir/reactor/export.hpp>

namespace WEIR_API weir {

/// A socket address as a value: IPv4, IPv6, or a unix path.
///
/// Shape     repr() is what Python prints: ('127.0.0.1', 8888), ('::1', 8888, 0, 0), or the quoted
///           path, which is host() of a unix socket: empty if it has none.
/// Units     port() in host order.
class Endpoint {
 public:
  /// Of no family; port 0, empty host.
  Endpoint() = default;
  Endpoint(const Endpoint& other);
  Endpoint(Endpoint&& other) noexcept = default;
  Endpoint& operator=(const Endpoint& other) { return *this = Endpoint(other); }
  Endpoint& operator=(Endpoint&& other) noexcept = default;
  ~Endpoint() = default;

  /// Copies a kernel's address. A family that weir does not know keeps nothing but its number.
  Endpoint(const sockaddr* address, socklen_t length);

  /// A numeric address; nothing if `host` is not one. No name is looked up, and no short form is
  /// taken: "127.1" and "0x7f.1" are not numeric addresses here, whatever getaddrinfo() thinks of
  /// them.
  static std::optional<Endpoint> parse(std::string_view host, std::uint16_t port);

  /// A unix socket: a path, or an abstract name (Linux), which begins with a NUL.
  static Endpoint at_path(std::string_view path);

  int family() const noexcept { return family_; }
  std::string host() const;
  std::uint16_t port() const noexcept { return port_; }
  /// The same address with another port.
  Endpoint with_port(std::uint16_t port) const;
  std::string repr() const;

  /// As bind() and connect() take it; returns the length. 0, which they refuse, for what is none of
  /// the three, and for a path that is too long.
  socklen_t copy_to(sockaddr_storage& room) const noexcept;

  friend bool operator==(const Endpoint& a, const Endpoint& b) noexcept;

 private:
  // What an IPv4 address does not need lies aside: every connection has two endpoints.
  struct Aside {
    std::array<unsigned char, 16> v6{};
    std::uint32_t flowinfo = 0;
    std::uint32_t scope = 0;
    std::string path;
    friend bool operator==(const Aside&, const Aside&) = default;
  };

  std::string_view path() const noexcept { return aside_ ? std::string_view(aside_->path) : ""; }

  std::uint16_t family_ = AF_UNSPEC;
  std::uint16_t port_ = 0;
  std::array<unsigned char, 4> v4_{};
  std::unique_ptr<const Aside> aside_;  // Of IPv6 and unix.
};

}  // namespace weir
