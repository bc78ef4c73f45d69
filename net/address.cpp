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

// memcpy instead of casts: the bytes need not be an object of that type, and the compiler may know
// it.
template <class Address>
Address read_as(const sockaddr* bytes) noexcept {
  Address address{};
  std::memcpy(&address, bytes, sizeof address);
  return address;
}

template <class Address>
socklen_t write_to(sockaddr_storage& room, const Address& address) noexcept {
  std::memcpy(&room, &address, sizeof address);
  return sizeof address;
}

std::string unix_path_of(const sockaddr* address, socklen_t length) {
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
    : family_(other.family_),
      port_(other.port_),
      v4_(other.v4_),
      aside_(other.aside_ ? std::make_unique<const Aside>(*other.aside_) : nullptr) {}

Endpoint::Endpoint(const sockaddr* address, socklen_t length) {
  if (length < sizeof(address->sa_family)) return;
  family_ = address->sa_family;
  if (family_ == AF_INET && length >= sizeof(sockaddr_in)) {
    const auto its = read_as<sockaddr_in>(address);
    port_ = ntohs(its.sin_port);
    std::memcpy(v4_.data(), &its.sin_addr, v4_.size());
  } else if (family_ == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    const auto its = read_as<sockaddr_in6>(address);
    port_ = ntohs(its.sin6_port);
    Aside aside{.flowinfo = ntohl(its.sin6_flowinfo), .scope = its.sin6_scope_id, .path = {}};
    std::memcpy(aside.v6.data(), &its.sin6_addr, aside.v6.size());
    aside_ = std::make_unique<const Aside>(std::move(aside));
  } else if (family_ == AF_UNIX) {
    aside_ = std::make_unique<const Aside>(Aside{.path = unix_path_of(address, length)});
  }
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
  endpoint.family_ = AF_UNIX;
  endpoint.aside_ = std::make_unique<const Aside>(Aside{.path = std::string(path)});
  return endpoint;
}

socklen_t Endpoint::copy_to(sockaddr_storage& room) const noexcept {
  if (family_ == AF_INET) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    std::memcpy(&address.sin_addr, v4_.data(), v4_.size());
    return write_to(room, address);
  }
  if (family_ == AF_INET6 && aside_) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port_);
    address.sin6_flowinfo = htonl(aside_->flowinfo);
    address.sin6_scope_id = aside_->scope;
    std::memcpy(&address.sin6_addr, aside_->v6.data(), aside_->v6.size());
    return write_to(room, address);
  }
  if (family_ != AF_UNIX || path().size() > max_unix_path(path())) return 0;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path().data(), path().size());
  write_to(room, address);
  // A path has a NUL behind it. Of an abstract name every byte counts.
  const bool has_end = !path().empty() && path()[0] != '\0';
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path().size() +
                                (has_end ? 1 : 0));
}

std::string Endpoint::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family_ == AF_INET) return ::inet_ntop(AF_INET, v4_.data(), text.data(), text.size());
  if (family_ == AF_INET6 && aside_)
    return ::inet_ntop(AF_INET6, aside_->v6.data(), text.data(), text.size());
  return std::string(path());
}

Endpoint Endpoint::with_port(std::uint16_t port) const {
  Endpoint other = *this;
  if (family_ == AF_INET || family_ == AF_INET6) other.port_ = port;
  return other;
}

std::string Endpoint::repr() const {
  const std::string start = "('" + host() + "', " + std::to_string(port_);
  if (family_ == AF_INET) return start + ")";
  if (family_ == AF_INET6 && aside_) {
    return start + ", " + std::to_string(aside_->flowinfo) + ", " + std::to_string(aside_->scope) +
           ")";
  }
  return repr_of(path());
}

bool operator==(const Endpoint& a, const Endpoint& b) noexcept {
  const bool same = a.family_ == b.family_ && a.port_ == b.port_ && a.v4_ == b.v4_;
  if (!same || !a.aside_ || !b.aside_) return same && !a.aside_ && !b.aside_;
  return *a.aside_ == *b.aside_;
}

}  // namespace weir
