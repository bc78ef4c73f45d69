// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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
  Endpoint(Endpoint&& other) noexcept : bits_(std::exchange(other.bits_, no_family)) {}
  Endpoint& operator=(const Endpoint& other) { return *this = Endpoint(other); }
  Endpoint& operator=(Endpoint&& other) noexcept {
    std::swap(bits_, other.bits_);
    return *this;
  }
  ~Endpoint() { delete aside(); }

  /// Copies a kernel's address. A family that weir does not know keeps nothing but its number; an
  /// address shorter than its family's, or of a number above 32767, which none has, has no family.
  Endpoint(const sockaddr* address, socklen_t length);

  /// A numeric address; nothing if `host` is not one. No name is looked up, and no short form is
  /// taken: "127.1" and "0x7f.1" are not numeric addresses here, whatever getaddrinfo() thinks of
  /// them.
  static std::optional<Endpoint> parse(std::string_view host, std::uint16_t port);

  /// A unix socket: a path, or an abstract name (Linux), which begins with a NUL.
  static Endpoint at_path(std::string_view path);

  int family() const noexcept {
    return aside() != nullptr ? aside()->family : static_cast<int>(bits_ >> 1U & 0x7fffU);
  }
  std::string host() const;
  std::uint16_t port() const noexcept {
    return aside() != nullptr ? aside()->port : static_cast<std::uint16_t>(bits_ >> 16U);
  }
  /// The same address with another port.
  Endpoint with_port(std::uint16_t port) const;
  std::string repr() const;

  /// As bind() and connect() take it; returns the length. 0, which they refuse, for what is none of
  /// the three, and for a path that is too long.
  socklen_t copy_to(sockaddr_storage& room) const noexcept;

  friend bool operator==(const Endpoint& a, const Endpoint& b) noexcept;

 private:
  // What an IPv4 address does not need.
  struct Aside {
    std::uint16_t family = AF_UNSPEC;
    std::uint16_t port = 0;
    std::array<unsigned char, 16> v6{};
    std::uint32_t flowinfo = 0;
    std::uint32_t scope = 0;
    std::string path;
    friend bool operator==(const Aside&, const Aside&) = default;
  };
  static constexpr std::uint64_t no_family = 1;

  explicit Endpoint(Aside aside)
      : bits_(reinterpret_cast<std::uintptr_t>(new Aside(std::move(aside)))) {}
  const Aside* aside() const noexcept {
    return (bits_ & 1U) != 0 ? nullptr
                             : reinterpret_cast<const Aside*>(static_cast<std::uintptr_t>(bits_));
  }
  std::array<unsigned char, 4> v4() const noexcept;
  std::string_view path() const noexcept {
    return aside() != nullptr ? std::string_view(aside()->path) : "";
  }

  // Every connection has two endpoints, and almost all are IPv4. So these are in 8 bytes: 1, the
  // family (15 bits), the port (16), the address (32). Without the 1 it is a pointer to an Aside.
  std::uint64_t bits_ = no_family;
};

}  // namespace weir
