// SPDX-License-Identifier: MIT
#include <weir/net/address.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace weir {
namespace {

// memcpy instead of casts: the bytes are no sockaddr_in object, and the compiler may know it.
template <class Address>
Address read_as(const unsigned char* bytes) noexcept {
  Address address{};
  std::memcpy(&address, bytes, sizeof address);
  return address;
}

std::string path_of(const sockaddr* address, socklen_t length) {
  const std::size_t before = offsetof(sockaddr_un, sun_path);
  if (length <= before) return {};
  std::string path(reinterpret_cast<const char*>(address) + before, length - before);
  // A path ends at its first NUL, unless it begins with one: that is Linux's abstract namespace.
  if (path[0] != '\0') path.resize(std::min(path.size(), path.find('\0')));
  return path;
}

}  // namespace

Endpoint::Endpoint(const sockaddr* address, socklen_t length) {
  static_assert(sizeof(sockaddr_in6) <= max_bytes);
  if (length < sizeof(address->sa_family)) return;
  if (address->sa_family == AF_UNIX) path_ = path_of(address, length);
  size_ = std::min<socklen_t>(length, sizeof bytes_);
  std::memcpy(bytes_, address, size_);
}

std::optional<Endpoint> Endpoint::parse(std::string_view host, std::uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (host.empty() || host.size() >= text.size()) return std::nullopt;
  std::copy(host.begin(), host.end(), text.begin());
  if (std::strlen(text.data()) != host.size()) return std::nullopt;  // A NUL inside.
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, text.data(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return Endpoint(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, text.data(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    return Endpoint(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
  }
  return std::nullopt;
}

int Endpoint::family() const noexcept {
  return size_ == 0 ? AF_UNSPEC : read_as<sockaddr>(bytes_).sa_family;
}

socklen_t Endpoint::size() const noexcept {
  return family() == AF_INET || family() == AF_INET6 ? size_ : 0;
}

std::string Endpoint::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (family()) {
    case AF_INET: {
      const auto v4 = read_as<sockaddr_in>(bytes_);
      return ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    }
    case AF_INET6: {
      const auto v6 = read_as<sockaddr_in6>(bytes_);
      return ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    }
    default: return path_;
  }
}

std::uint16_t Endpoint::port() const noexcept {
  switch (family()) {
    case AF_INET: return ntohs(read_as<sockaddr_in>(bytes_).sin_port);
    case AF_INET6: return ntohs(read_as<sockaddr_in6>(bytes_).sin6_port);
    default: return 0;
  }
}

Endpoint Endpoint::with_port(std::uint16_t port) const {
  Endpoint other = *this;
  const std::uint16_t network = htons(port);
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  if (family() == AF_INET || family() == AF_INET6) {
    std::memcpy(other.bytes_ + offsetof(sockaddr_in, sin_port), &network, sizeof network);
  }
  return other;
}

std::string Endpoint::repr() const {
  const std::string start = "('" + host() + "', " + std::to_string(port());
  switch (family()) {
    case AF_INET: return start + ")";
    case AF_INET6: {
      const auto v6 = read_as<sockaddr_in6>(bytes_);
      return start + ", " + std::to_string(ntohl(v6.sin6_flowinfo)) + ", " +
             std::to_string(v6.sin6_scope_id) + ")";
    }
    default: return "'" + path_ + "'";
  }
}

bool operator==(const Endpoint& a, const Endpoint& b) noexcept {
  return a.size_ == b.size_ && std::memcmp(a.bytes_, b.bytes_, a.size_) == 0 && a.path_ == b.path_;
}

}  // namespace weir
