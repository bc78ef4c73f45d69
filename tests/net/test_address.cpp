// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include <weir/net/address.hpp>

using weir::Endpoint;

namespace {

/// The address of a unix socket whose name is `path`, all of it.
Endpoint unix_endpoint(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return {reinterpret_cast<const sockaddr*>(&address), length};
}

std::size_t length_of(const Endpoint& endpoint) {
  sockaddr_storage room{};
  return endpoint.copy_to(room);
}

}  // namespace

TEST_SUITE_BEGIN("net/address");

TEST_CASE("Endpoint: a new one has no family, no host and no port") {
  const Endpoint none;
  CHECK(none.family() == AF_UNSPEC);
  CHECK(none.host() == "");
  CHECK(none.port() == 0);
  CHECK(length_of(none) == 0);
}

TEST_CASE("parse: an IPv4 address keeps its host and its port") {
  const std::optional<Endpoint> found = Endpoint::parse("192.0.2.255", 65535);
  REQUIRE(found);
  CHECK(found->family() == AF_INET);
  CHECK(found->host() == "192.0.2.255");
  CHECK(found->port() == 65535);
  CHECK(length_of(*found) == sizeof(sockaddr_in));
}

TEST_CASE("parse: an IPv6 address is written in its shortest form") {
  const std::optional<Endpoint> found = Endpoint::parse("2001:DB8:0:0:0:0:0:1", 1);
  REQUIRE(found);
  CHECK(found->family() == AF_INET6);
  CHECK(found->host() == "2001:db8::1");
  CHECK(found->port() == 1);
  CHECK(length_of(*found) == sizeof(sockaddr_in6));
}

TEST_CASE("parse: an IPv4 address in IPv6 clothes is an IPv6 address") {
  const std::optional<Endpoint> found = Endpoint::parse("::ffff:192.0.2.1", 1);
  REQUIRE(found);
  CHECK(found->family() == AF_INET6);
  CHECK(found->host() == "::ffff:192.0.2.1");
}

TEST_CASE("B35: the longest address there is fits") {
  const std::string longest = "1111:2222:3333:4444:5555:6666:255.255.255.255";
  const std::optional<Endpoint> found = Endpoint::parse(longest, 1);
  REQUIRE(found);
  CHECK(found->host() == "1111:2222:3333:4444:5555:6666:ffff:ffff");
}

// getaddrinfo() reads most of these as addresses: CVE-2024-24806 came from a name that was cut to
// one.
TEST_CASE("B34: no short, octal, hexadecimal, bracketed or scoped form is an address") {
  for (const std::string_view text : {"",
                                      " ",
                                      "0",
                                      "1",
                                      "127.1",
                                      "127.0.1",
                                      "2130706433",
                                      "0x7f.1",
                                      "0x7f000001",
                                      "0177.0.0.1",
                                      "127.0.0.01",
                                      "127.0.0.1.",
                                      "127.0.0.1.1",
                                      "127.0.0.256",
                                      " 127.0.0.1",
                                      "127.0.0.1 ",
                                      "127.0.0.1\n",
                                      "127.0.0.1:80",
                                      "127.0.0.-1",
                                      ":",
                                      ":::",
                                      "::1::",
                                      "[::1]",
                                      "::1%lo",
                                      "fe80::1%1",
                                      "1:2:3:4:5:6:7",
                                      "12345::",
                                      "::g",
                                      "localhost",
                                      "*"}) {
    CAPTURE(text);
    CHECK_FALSE(Endpoint::parse(text, 1));
  }
}

TEST_CASE("parse: a NUL byte ends nothing, it makes the text no address") {
  using namespace std::string_view_literals;
  CHECK_FALSE(Endpoint::parse("127.0.0.1\0"sv, 1));
  CHECK_FALSE(Endpoint::parse("127.0.0.1\0.example.org"sv, 1));
  CHECK_FALSE(Endpoint::parse("\0"sv, 1));
}

TEST_CASE("B35: a text longer than any address is none, whatever it begins with") {
  for (const std::size_t length :
       {std::size_t{45}, std::size_t{46}, std::size_t{47}, std::size_t{100000}}) {
    CAPTURE(length);
    CHECK_FALSE(Endpoint::parse(std::string(length, '1'), 1));
    CHECK_FALSE(Endpoint::parse("::" + std::string(length, '0') + "1", 1));
  }
  const std::string longest = "0000:0000:0000:0000:0000:ffff:255.255.255.255";
  REQUIRE(Endpoint::parse(longest, 1));
  CHECK_FALSE(Endpoint::parse(longest + "0", 1));
  CHECK_FALSE(Endpoint::parse(longest + ".evil.example", 1));
}

TEST_CASE("with_port: changes the port and nothing else") {
  for (const std::string_view host : {"192.0.2.1", "2001:db8::1"}) {
    CAPTURE(host);
    const Endpoint before = *Endpoint::parse(host, 1);
    CHECK(before.with_port(8080) == *Endpoint::parse(host, 8080));
    CHECK(before.port() == 1);
  }
  CHECK(Endpoint().with_port(80) == Endpoint());
  CHECK(unix_endpoint("/tmp/s").with_port(80) == unix_endpoint("/tmp/s"));
}

TEST_CASE("repr: an address is printed as Python prints its tuple") {
  CHECK(Endpoint::parse("127.0.0.1", 8888)->repr() == "('127.0.0.1', 8888)");
  CHECK(Endpoint::parse("::1", 8888)->repr() == "('::1', 8888, 0, 0)");
}

TEST_CASE("repr: flow and scope of an IPv6 address are its last two numbers") {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(80);
  address.sin6_flowinfo = htonl(7);
  address.sin6_scope_id = 2;
  address.sin6_addr = in6addr_loopback;
  const Endpoint endpoint(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  CHECK(endpoint.repr() == "('::1', 80, 7, 2)");
}

TEST_CASE("repr: a unix address is its path in quotes, also an empty one") {
  CHECK(unix_endpoint("/run/weir.sock").repr() == "'/run/weir.sock'");
  CHECK(unix_endpoint("").repr() == "''");
}

// CPython prints the same for the text of these bytes.
TEST_CASE("repr: a path is quoted as Python quotes it") {
  using namespace std::string_view_literals;
  const auto repr = [](std::string_view path) { return Endpoint::at_path(path).repr(); };
  CHECK(repr("it's") == R"("it's")");
  CHECK(repr(R"(it's "it")") == R"('it\'s "it"')");
  CHECK(repr("\0a\\b\n\r\t\x7f"sv) == R"('\x00a\\b\n\r\t\x7f')");
}

TEST_CASE("Endpoint: a unix path ends at its first NUL, an abstract name keeps them all") {
  using namespace std::string_view_literals;
  CHECK(unix_endpoint("/tmp/a\0/b"sv).host() == "/tmp/a");
  CHECK(unix_endpoint("\0abstract\0name"sv).host() == "\0abstract\0name"sv);
  CHECK(unix_endpoint("").host() == "");
  CHECK(unix_endpoint("").family() == AF_UNIX);
}

TEST_CASE("Endpoint: a unix path of full length is kept whole") {
  const std::string path(sizeof(sockaddr_un::sun_path),
                         'p');  // No NUL behind it: Linux allows that.
  CHECK(unix_endpoint(path).host() == path);
  CHECK_FALSE(unix_endpoint(path) == unix_endpoint(path.substr(1)));
}

TEST_CASE("copy_to: a unix path has its NUL counted, an abstract name has none") {
  using namespace std::string_view_literals;
  const auto path_bytes = [](std::string_view path) {
    return length_of(Endpoint::at_path(path)) - offsetof(sockaddr_un, sun_path);
  };
  CHECK(path_bytes("/run/weir.sock") == 15);
  CHECK(path_bytes("\0weir"sv) == 5);
  CHECK(path_bytes("") == 0);
}

TEST_CASE("copy_to: gives back the path that it was made with") {
  using namespace std::string_view_literals;
  for (const std::string_view path : {"/run/weir.sock"sv, "\0we\0ir"sv, ""sv}) {
    sockaddr_storage room{};
    const socklen_t length = Endpoint::at_path(path).copy_to(room);
    const Endpoint back(reinterpret_cast<const sockaddr*>(&room), length);
    CHECK(back == Endpoint::at_path(path));
    CHECK(back.host() == path);
  }
}

TEST_CASE("B35: a unix path that is too long is never cut short") {
  const std::size_t room = sizeof(sockaddr_un::sun_path);
  CHECK(length_of(Endpoint::at_path(std::string(room - 1, 'p'))) == sizeof(sockaddr_un));
  CHECK(length_of(Endpoint::at_path(std::string(room, 'p'))) == 0);
  CHECK(length_of(Endpoint::at_path(std::string(room, '\0'))) == sizeof(sockaddr_un));
  CHECK(length_of(Endpoint::at_path(std::string(room + 1, '\0'))) == 0);
}

TEST_CASE("Endpoint: an unknown family keeps its number") {
  sockaddr address{};
  address.sa_family = AF_PACKET;
  const Endpoint endpoint(&address, sizeof address);
  CHECK(endpoint.family() == AF_PACKET);
  CHECK(endpoint.host() == "");
  CHECK(endpoint.port() == 0);
}

TEST_CASE("Endpoint: a length too short for a family gives no family") {
  sockaddr address{};
  address.sa_family = AF_INET;
  CHECK(Endpoint(&address, 0).family() == AF_UNSPEC);
  CHECK(Endpoint(&address, 1).family() == AF_UNSPEC);
}

TEST_CASE("Endpoint: an address cut short has no family, rather than a host that nobody named") {
  sockaddr_storage address{};
  for (const int family : {AF_INET, AF_INET6}) {
    address.ss_family = static_cast<sa_family_t>(family);
    const socklen_t whole = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    const auto* any = reinterpret_cast<const sockaddr*>(&address);
    CHECK(Endpoint(any, whole).family() == family);
    CHECK(Endpoint(any, whole - 1) == Endpoint());
  }
}

// There are 15 bits for it: 0x8001 was taken for 1, which is AF_UNIX.
TEST_CASE("Endpoint: a family's number that no family has is not taken for another's") {
  sockaddr address{};
  address.sa_family = 0x8000 | AF_UNIX;
  CHECK(Endpoint(&address, sizeof address) == Endpoint());
}

TEST_CASE("operator==: host, port and family all count") {
  const Endpoint one = *Endpoint::parse("127.0.0.1", 80);
  CHECK(one == *Endpoint::parse("127.0.0.1", 80));
  CHECK_FALSE(one == *Endpoint::parse("127.0.0.1", 81));
  CHECK_FALSE(one == *Endpoint::parse("127.0.0.2", 80));
  CHECK_FALSE(*Endpoint::parse("0.0.0.0", 0) == *Endpoint::parse("::", 0));
  CHECK_FALSE(one == Endpoint());
  CHECK_FALSE(unix_endpoint("/a") == unix_endpoint("/b"));
}

TEST_SUITE_END();
