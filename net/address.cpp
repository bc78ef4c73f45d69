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

std::size_t max_unix_path(std::string_view path) noexcept {
  const std::size_t room = sizeof(sockaddr_un::sun_path);
  return path.starts_with('\0') ? room : room - 1;
}

std::string hex_escape(unsigned char byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  return {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
}

/// A text as Python's repr() prints it; what is beyond ASCII is taken as it is.
std::string repr_of(std::string_view text) {
  const bool doubled = text.find('\'') != text.npos && text.find('"') == text.npos;
  const char quote = doubled ? '"' : '\'';
  std::string quoted(1, quote);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      quoted.append({'\\', c});
    } else if (byte < ' ' || byte == 0x7f) {
      quoted += c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : hex_escape(byte);
    } else {
      quoted += c;
    }
  }
  return quoted + quote;
}

}  // namespace

Endpoint::Endpoint(const Endpoint& other)
    : size_(other.size_),
      path_(other.path_ ? std::make_unique<const std::string>(*other.path_) : nullptr) {
  std::memcpy(bytes_, other.bytes_, sizeof bytes_);
}

Endpoint& Endpoint::operator=(Endpoint other) noexcept {
  std::memcpy(bytes_, other.bytes_, sizeof bytes_);
  size_ = other.size_;
  path_ = std::move(other.path_);
  return *this;
}

Endpoint::Endpoint(const sockaddr* address, socklen_t length) {
  static_assert(sizeof(sockaddr_in6) <= max_bytes);
  if (length < sizeof(address->sa_family)) return;
  if (address->sa_family == AF_UNIX)
    path_ = std::make_unique<const std::string>(path_of(address, length));
  const std::size_t kept = address->sa_family == AF_UNIX ? sizeof address->sa_family : length;
  size_ = static_cast<socklen_t>(std::min(kept, sizeof bytes_));
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

Endpoint Endpoint::at_path(std::string_view path) {
  Endpoint endpoint;
  const sa_family_t family = AF_UNIX;
  std::memcpy(endpoint.bytes_, &family, sizeof family);
  endpoint.size_ = sizeof family;
  endpoint.path_ = std::make_unique<const std::string>(path);
  return endpoint;
}

int Endpoint::family() const noexcept {
  return size_ == 0 ? AF_UNSPEC : read_as<sockaddr>(bytes_).sa_family;
}

socklen_t Endpoint::copy_to(sockaddr_storage& room) const noexcept {
  const bool internet = family() == AF_INET || family() == AF_INET6;
  if (internet) std::memcpy(&room, bytes_, size_);
  if (family() != AF_UNIX || path().size() > max_unix_path(path())) return internet ? size_ : 0;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path().data(), path().size());
  std::memcpy(&room, &address, sizeof address);
  // A path has a NUL behind it. Of an abstract name every byte counts.
  const bool has_end = !path().empty() && path()[0] != '\0';
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path().size() +
                                (has_end ? 1 : 0));
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
    default: return std::string(path());
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
    default: return repr_of(path());
  }
}

bool operator==(const Endpoint& a, const Endpoint& b) noexcept {
  return a.size_ == b.size_ && std::memcmp(a.bytes_, b.bytes_, a.size_) == 0 &&
         a.path() == b.path();
}

}  // namespace weir
