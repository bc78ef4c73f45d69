// Internal: used by fake_kernel.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct addrinfo;

namespace weir::detail {

// An address is a string here: the bytes of a sockaddr_in, sockaddr_in6 or sockaddr_un, without
// padding, so that equal addresses are equal strings. Empty means none.

/// What a caller passed as an address, or nothing if it is none.
std::optional<std::string> clean_address(const sockaddr* address, std::uint32_t length);

/// `host`, a numeric address, with `port`; or nothing if it is not numeric.
std::optional<std::string> parse_address(const std::string& host, std::uint16_t port);

/// The unnamed address of `family`: 0.0.0.0, :: or an AF_UNIX socket without a path; port 0.
std::string any_address(int family);

/// The host by which a socket of `family` reaches its own machine; port 0.
std::string loopback_address(int family);

/// The address of a unix socket at `path`, or with an abstract name.
std::string unix_address(std::string_view path);
/// The path of a unix socket in the file system; empty of everything else.
std::string path_of(std::string_view address);

int family_of(std::string_view address);
bool has_port(std::string_view address);
std::uint16_t port_of(std::string_view address);
std::string with_port(std::string address, std::uint16_t port);

/// True if a socket bound to `bound` is meant by `wanted`; 0.0.0.0 and :: are every host.
bool same_place(std::string_view bound, std::string_view wanted);

/// Answers as getsockname(2) does: cut to the room that there is, with the length that is needed.
void give_bytes(std::string_view bytes, void* to, std::uint32_t* length);

using HostTable = std::map<std::string, std::vector<std::string>>;

/// getaddrinfo(3) on numeric addresses and the names in `hosts`. Returns 0 or an EAI_… number.
int look_up(const HostTable& hosts, const char* host, const char* service, const addrinfo* hints,
            addrinfo** result);
void free_answers(addrinfo* list) noexcept;

}  // namespace weir::detail
