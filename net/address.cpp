// SPDX-License-Identifier: MIT
#include <weir/net/address.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <bit>
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

Endpoint::Endpoint(const Endpoint& other) : bits_(other.bits_) {
  if (other.aside() != nullptr) bits_ = reinterpret_cast<std::uintptr_t>(new Aside(*other.aside()));
}

Endpoint::Endpoint(const sockaddr* address, socklen_t length) {
  if (length < sizeof(address->sa_family)) return;
  const std::uint16_t family = address->sa_family;
  if (family == AF_INET && length >= sizeof(sockaddr_in)) {
    const auto its = read_as<sockaddr_in>(address);
    const std::uint64_t v4 = its.sin_addr.s_addr;
    const std::uint64_t port = ntohs(its.sin_port);
    bits_ = v4 << 32U | port << 16U | std::uint64_t{family} << 1U | 1U;
  } else if (family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    const auto its = read_as<sockaddr_in6>(address);
    Aside aside{.family = family,
                .port = ntohs(its.sin6_port),
                .flowinfo = ntohl(its.sin6_flowinfo),
                .scope = its.sin6_scope_id,
                .path = {}};
    std::memcpy(aside.v6.data(), &its.sin6_addr, aside.v6.size());
    *this = Endpoint(std::move(aside));
  } else if (family == AF_UNIX) {
    *this = Endpoint(Aside{.family = family, .path = unix_path_of(address, length)});
  } else if (family != AF_INET && family != AF_INET6 && family < 0x8000) {
    bits_ = std::uint64_t{family} << 1U | 1U;
  }
}

/// In network order.
std::array<unsigned char, 4> Endpoint::v4() const noexcept {
  return std::bit_cast<std::array<unsigned char, 4>>(static_cast<std::uint32_t>(bits_ >> 32U));
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
  return Endpoint(Aside{.family = AF_UNIX, .path = std::string(path)});
}

socklen_t Endpoint::copy_to(sockaddr_storage& room) const noexcept {
  if (family() == AF_INET) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port());
    address.sin_addr.s_addr = static_cast<in_addr_t>(bits_ >> 32U);
    return write_to(room, address);
  }
  if (family() == AF_INET6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port());
    address.sin6_flowinfo = htonl(aside()->flowinfo);
    address.sin6_scope_id = aside()->scope;
    std::memcpy(&address.sin6_addr, aside()->v6.data(), aside()->v6.size());
    return write_to(room, address);
  }
  if (family() != AF_UNIX || path().size() > max_unix_path(path())) return 0;
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
  if (family() == AF_INET) return ::inet_ntop(AF_INET, v4().data(), text.data(), text.size());
  if (family() == AF_INET6)
    return ::inet_ntop(AF_INET6, aside()->v6.data(), text.data(), text.size());
  return std::string(path());
}

Endpoint Endpoint::with_port(std::uint16_t port) const {
  if (family() != AF_INET && family() != AF_INET6) return *this;
  if (aside() != nullptr) {
    Aside its = *aside();
    its.port = port;
    return Endpoint(std::move(its));
  }
  Endpoint other;
  other.bits_ = (bits_ & ~(std::uint64_t{0xffff} << 16U)) | std::uint64_t{port} << 16U;
  return other;
}

std::string Endpoint::repr() const {
  const std::string start = "('" + host() + "', " + std::to_string(port());
  if (family() == AF_INET) return start + ")";
  if (family() == AF_INET6) {
    return start + ", " + std::to_string(aside()->flowinfo) + ", " +
           std::to_string(aside()->scope) + ")";
  }
  return repr_of(path());
}

bool operator==(const Endpoint& a, const Endpoint& b) noexcept {
  if (a.aside() == nullptr || b.aside() == nullptr) return a.bits_ == b.bits_;
  return *a.aside() == *b.aside();
}

}  // namespace weir
