// SPDX-License-Identifier: MIT
#include <weir/reactor/sim/fake_address.hpp>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <memory>

#include <weir/reactor/bytes.hpp>

namespace weir::detail {
namespace {

static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));

/// One answer of look_up(); the caller sees the first member.
struct Answer {
  addrinfo info{};
  sockaddr_storage address{};
};

/// Bytes that are missing become 0.
template <class Address>
Address parsed_as(std::string_view bytes) {
  Address address{};
  std::memcpy(&address, bytes.data(), std::min(bytes.size(), sizeof address));
  return address;
}

bool is_any(std::string_view address) {
  return with_port(std::string(address), 0) == any_address(family_of(address));
}

/// What stands behind the family: a path, which its first NUL ends, or an abstract name, which
/// begins with one.
std::string_view unix_name(std::string_view bytes) {
  const std::string_view name = bytes.substr(sizeof(sa_family_t));
  return name.starts_with('\0') ? name : name.substr(0, name.find('\0'));
}

std::optional<std::uint16_t> parse_port(const char* service) {
  const std::string_view text = service == nullptr ? "0" : service;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

/// The numeric addresses that `host` stands for.
std::vector<std::string> host_addresses(const HostTable& hosts, const char* host, int flags) {
  if (host == nullptr && (flags & AI_PASSIVE) != 0) return {"0.0.0.0", "::"};
  if (host == nullptr) return {"127.0.0.1", "::1"};
  if (parse_address(host, 0)) return {host};
  const auto found = hosts.find(host);
  if (found == hosts.end() || (flags & AI_NUMERICHOST) != 0) return {};
  return found->second;
}

std::unique_ptr<Answer> make_answer(std::string_view address, const addrinfo& hints) {
  auto answer = std::make_unique<Answer>();
  std::memcpy(&answer->address, address.data(), address.size());
  answer->info.ai_family = family_of(address);
  answer->info.ai_socktype = hints.ai_socktype != 0 ? hints.ai_socktype : SOCK_STREAM;
  answer->info.ai_protocol = hints.ai_protocol != 0 ? hints.ai_protocol : IPPROTO_TCP;
  answer->info.ai_addrlen = static_cast<socklen_t>(address.size());
  answer->info.ai_addr = reinterpret_cast<sockaddr*>(&answer->address);
  return answer;
}

}  // namespace

std::optional<std::string> clean_address(const sockaddr* address, std::uint32_t length) {
  if (address == nullptr || length < sizeof(sa_family_t)) return std::nullopt;
  const std::string_view bytes(reinterpret_cast<const char*>(address), length);
  const int family = family_of(bytes);
  if (family == AF_UNIX) return unix_address(unix_name(bytes));
  if (family == AF_INET && length >= sizeof(sockaddr_in)) {
    auto v4 = parsed_as<sockaddr_in>(bytes);
    std::fill(std::begin(v4.sin_zero), std::end(v4.sin_zero), std::uint8_t{0});
    return bytes_of(v4);
  }
  if (family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    return bytes_of(parsed_as<sockaddr_in6>(bytes));
  }
  return std::nullopt;
}

std::optional<std::string> parse_address(const std::string& host, std::uint16_t port) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) return with_port(bytes_of(v4), port);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) return with_port(bytes_of(v6), port);
  return std::nullopt;
}

std::string any_address(int family) {
  if (family == AF_INET) return *parse_address("0.0.0.0", 0);
  if (family == AF_INET6) return *parse_address("::", 0);
  const sa_family_t unnamed = AF_UNIX;
  return bytes_of(unnamed);
}

std::string loopback_address(int family) {
  if (family == AF_UNIX) return any_address(family);
  return *parse_address(family == AF_INET ? "127.0.0.1" : "::1", 0);
}

std::string unix_address(std::string_view path) { return any_address(AF_UNIX).append(path); }

std::string path_of(std::string_view address) {
  if (family_of(address) != AF_UNIX || unix_name(address).starts_with('\0')) return {};
  return std::string(unix_name(address));
}

int family_of(std::string_view address) { return parsed_as<sa_family_t>(address); }

bool has_port(std::string_view address) { return family_of(address) != AF_UNIX; }

std::uint16_t port_of(std::string_view address) {
  return ntohs(parsed_as<sockaddr_in>(address).sin_port);
}

std::string with_port(std::string address, std::uint16_t port) {
  if (!has_port(address)) return address;
  const std::uint16_t bytes = htons(port);
  std::memcpy(address.data() + offsetof(sockaddr_in, sin_port), &bytes, sizeof bytes);
  return address;
}

bool same_place(std::string_view bound, std::string_view wanted) {
  if (bound == wanted) return true;
  return has_port(bound) && family_of(bound) == family_of(wanted) &&
         port_of(bound) == port_of(wanted) && (is_any(bound) || is_any(wanted));
}

void give_bytes(std::string_view bytes, void* to, std::uint32_t* length) {
  if (length == nullptr) return;
  const std::size_t room = std::min<std::size_t>(*length, bytes.size());
  if (room != 0) std::memcpy(to, bytes.data(), room);
  *length = static_cast<std::uint32_t>(bytes.size());
}

int look_up(const HostTable& hosts, const char* host, const char* service, const addrinfo* hints,
            addrinfo** result) {
  static const addrinfo no_hints{};
  const addrinfo& wanted = hints != nullptr ? *hints : no_hints;
  const std::optional<std::uint16_t> port = parse_port(service);
  if (!port) return EAI_SERVICE;
  *result = nullptr;
  addrinfo** end = result;
  for (const std::string& numeric : host_addresses(hosts, host, wanted.ai_flags)) {
    const std::string address = parse_address(numeric, *port).value_or(any_address(AF_UNIX));
    const bool fits = wanted.ai_family == AF_UNSPEC || wanted.ai_family == family_of(address);
    if (!has_port(address) || !fits) continue;
    *end = &make_answer(address, wanted).release()->info;
    end = &(*end)->ai_next;
  }
  return *result != nullptr ? 0 : EAI_NONAME;
}

void free_answers(addrinfo* list) noexcept {
  while (list != nullptr) {
    const std::unique_ptr<Answer> answer(reinterpret_cast<Answer*>(list));
    list = answer->info.ai_next;
  }
}

}  // namespace weir::detail
