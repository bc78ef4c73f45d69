// SPDX-License-Identifier: MIT
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include <weir/net/address.hpp>
#include <weir/net/resolver.hpp>
#include <weir/net/unix_path.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>

#include <tests/fuzz/choices.hpp>
#include <tests/fuzz/targets.hpp>

namespace weir::fuzz {
namespace {

using Bytes = std::vector<unsigned char>;

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (std::size_t end = text.find(at); end != std::string_view::npos; end = text.find(at)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

/// Four numbers of up to three digits, without zeros before them.
std::optional<Bytes> plain_v4(std::string_view text) {
  Bytes bytes;
  for (const std::string_view part : split(text, '.')) {
    if (part.empty() || part.size() > 3) return std::nullopt;
    if (part.size() > 1 && part[0] == '0') return std::nullopt;
    unsigned number = 0;
    for (const char digit : part) {
      if (digit < '0' || digit > '9') return std::nullopt;
      number = number * 10 + static_cast<unsigned>(digit - '0');
    }
    if (number > 255) return std::nullopt;
    bytes.push_back(static_cast<unsigned char>(number));
  }
  return bytes.size() == 4 ? std::optional(bytes) : std::nullopt;
}

/// Groups of up to four hexadecimal digits, as bytes; the last may be an IPv4 address.
std::optional<Bytes> plain_groups(std::string_view text, bool is_last) {
  Bytes bytes;
  if (text.empty()) return bytes;
  const std::vector<std::string_view> parts = split(text, ':');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (is_last && i + 1 == parts.size() && parts[i].find('.') != std::string_view::npos) {
      const std::optional<Bytes> v4 = plain_v4(parts[i]);
      if (!v4) return std::nullopt;
      bytes.insert(bytes.end(), v4->begin(), v4->end());
      continue;
    }
    if (parts[i].empty() || parts[i].size() > 4) return std::nullopt;
    unsigned number = 0;
    for (const char digit : parts[i]) {
      constexpr std::string_view digits = "0123456789abcdef";
      const char lower = digit >= 'A' && digit <= 'F' ? static_cast<char>(digit + 32) : digit;
      const std::size_t value = digits.find(lower);
      if (value == std::string_view::npos) return std::nullopt;
      number = number * 16 + static_cast<unsigned>(value);
    }
    bytes.push_back(static_cast<unsigned char>(number >> 8));
    bytes.push_back(static_cast<unsigned char>(number & 255));
  }
  return bytes;
}

/// RFC 4291, section 2.2: eight groups, or fewer and one "::" for the rest.
std::optional<Bytes> plain_v6(std::string_view text) {
  constexpr std::size_t size = 16;
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const std::optional<Bytes> all = plain_groups(text, true);
    return all && all->size() == size ? all : std::nullopt;
  }
  std::optional<Bytes> before = plain_groups(text.substr(0, gap), false);
  const std::optional<Bytes> after = plain_groups(text.substr(gap + 2), true);
  if (!before || !after || before->size() + after->size() >= size) return std::nullopt;
  before->resize(size - after->size());
  before->insert(before->end(), after->begin(), after->end());
  return before;
}

/// The address as bind() takes it; the end of the room is out of bounds.
Bytes raw(const Endpoint& endpoint) {
  sockaddr_storage room{};
  const socklen_t length = endpoint.copy_to(room);
  require(length <= sizeof room, "copy_to() stays in its room");
  const auto* bytes = reinterpret_cast<const unsigned char*>(&room);
  return {bytes, bytes + length};
}

Endpoint from_raw(const Bytes& bytes) {
  // The bytes are on the heap, and no more of them than that.
  return {reinterpret_cast<const sockaddr*>(bytes.data()), static_cast<socklen_t>(bytes.size())};
}

void check_numeric(std::string_view host, std::uint16_t port) {
  const std::optional<Endpoint> parsed = Endpoint::parse(host, port);
  const std::optional<Bytes> v4 = plain_v4(host);
  const std::optional<Bytes> v6 = v4 ? std::nullopt : plain_v6(host);
  require(parsed.has_value() == (v4 || v6), "parse() takes what a plain parser takes");
  if (!parsed) return;
  require(parsed->family() == (v4 ? AF_INET : AF_INET6), "the family is that of the text");
  require(parsed->port() == port, "the port is the one given");
  const Bytes all = raw(*parsed);
  const std::size_t at = v4 ? offsetof(sockaddr_in, sin_addr) : offsetof(sockaddr_in6, sin6_addr);
  const Bytes& expected = v4 ? *v4 : *v6;
  require(all.size() >= at + expected.size(), "the address is complete");
  require(std::equal(expected.begin(), expected.end(), all.begin() + static_cast<long>(at)),
          "the bytes are the plain parser's");
  require(from_raw(all) == *parsed, "what the kernel gives back is equal");
  require(Endpoint::parse(parsed->host(), port) == parsed, "host() is read back as the same");
  require(parsed->with_port(0).with_port(port) == *parsed, "with_port() changes only the port");
}

/// Undoes Python's repr() of a text.
std::string unquoted(std::string_view text) {
  require(text.size() >= 2 && text.front() == text.back(), "a quoted text");
  const char quote = text.front();
  text = text.substr(1, text.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    require(text[i] != quote && byte >= ' ' && byte != 0x7f, "nothing that ought to be escaped");
    if (text[i] != '\\') {
      plain += text[i];
      continue;
    }
    require(i + 1 < text.size(), "a backslash has something behind it");
    const char kind = text[++i];
    if (kind == 'x') {
      require(i + 2 < text.size(), "two digits behind \\x");
      plain += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      plain += kind == 'n' ? '\n' : kind == 'r' ? '\r' : kind == 't' ? '\t' : kind;
    }
  }
  return plain;
}

void check_path(std::string_view path) {
  const bool abstract = path.starts_with('\0');
  const bool has_nul = path.find('\0') != std::string_view::npos;
  const std::size_t most = sizeof(sockaddr_un::sun_path) - (abstract ? 0 : 1);
  std::string refused;
  try {
    const Endpoint endpoint = detail::unix_endpoint(path);
    require(endpoint.family() == AF_UNIX && endpoint.port() == 0, "a unix socket, without a port");
    require(endpoint.host() == path, "host() is the path");
    require(unquoted(endpoint.repr()) == path, "repr() can be read back");
    require(from_raw(raw(endpoint)) == endpoint, "what the kernel gives back is equal");
    require(endpoint.with_port(7) == endpoint, "with_port() changes nothing");
  } catch (const ValueError& error) {
    refused = error.what();
  } catch (const OSError& error) {
    refused = error.what();
  }
  const std::string expected = path.empty()           ? "path must not be empty"
                               : !abstract && has_nul ? "embedded null byte"
                               : path.size() > most   ? "AF_UNIX path too long"
                                                      : "";
  require(refused == expected, "a path is refused for what is wrong with it: " + refused);
}

/// Whatever a kernel might say: nothing but memory errors can be wrong.
void check_any_address(std::string_view text) {
  const Bytes bytes(text.begin(), text.end());
  const Endpoint endpoint = from_raw(bytes);
  require(endpoint == from_raw(bytes), "equal bytes are equal addresses");
  require(!endpoint.repr().empty(), "everything has a repr()");
  const Bytes again = raw(endpoint);
  if (!again.empty()) require(from_raw(again) == endpoint, "copy_to() keeps everything");
}

/// A number, whose digits are all that counts; every other text is a name.
void check_port(std::string_view text) {
  const bool has_sign = text.starts_with('+') || text.starts_with('-');
  unsigned long number = 0;
  bool digits_only = text.size() > (has_sign ? 1U : 0U);
  for (const char digit : text.substr(has_sign ? 1 : 0)) {
    digits_only = digits_only && digit >= '0' && digit <= '9';
    if (digits_only)
      number = std::min(number * 10 + static_cast<unsigned long>(digit - '0'), 99999UL);
  }
  const bool fits = number <= 65535 && (!text.starts_with('-') || number == 0);
  try {
    const Port port(text);
    require(!digits_only || fits, "a number that is no port is refused");
    require(port.numeric() == (digits_only || text.empty()),
            "numbers are numbers, names are names");
    require(port.number() == number * digits_only, "the number is that of its digits");
    const std::string service = port.numeric() ? std::to_string(number) : std::string(text);
    require(port.service() == service, "service() is the name, or the number");
  } catch (const ValueError&) {
    require(digits_only && !fits, "only a number that is no port is refused");
  }
}

/// The simulated resolver finds the numeric addresses that parse() takes, and no others.
void check_resolver(const std::string& host, const std::string& service) {
  FakeKernel kernel;
  kernel.add_host("h", {"10.0.0.1", "::1", "nonsense"});
  addrinfo* list = nullptr;
  int system_error = 0;
  const int error =
      kernel.getaddrinfo(host.c_str(), service.c_str(), nullptr, &list, &system_error);
  require(error == 0 || error == EAI_NONAME || error == EAI_SERVICE, "a known error");
  require((error == 0) == (list != nullptr), "an answer, or an error");
  const std::optional<Endpoint> numeric = Endpoint::parse(host, 0);
  if (numeric && error == 0) {
    const Endpoint found(list->ai_addr, list->ai_addrlen);
    require(list->ai_next == nullptr, "one numeric address is one answer");
    require(found.with_port(0) == *numeric, "a numeric address is found as itself");
  }
  if (!numeric && error == 0) require(host == "h" || host == "localhost", "a host that is there");
  kernel.freeaddrinfo(list);
}

}  // namespace

void address(std::string_view input) {
  Choices choices(input);
  switch (choices.roll(6)) {
    case 0: return check_numeric(choices.rest(), 0);
    case 1: {
      const std::size_t port = choices.roll(65536);
      return check_numeric(choices.rest(), static_cast<std::uint16_t>(port));
    }
    case 2: return check_path(choices.rest());
    case 3: return check_any_address(choices.take(sizeof(sockaddr_storage)));
    case 4: return check_port(choices.rest());
    default: {
      const std::string service(choices.take(choices.roll(8)));
      const std::string_view host = choices.rest();
      return check_resolver(std::string(host.substr(0, host.find('\0'))), service);  // As in C.
    }
  }
}

}  // namespace weir::fuzz
