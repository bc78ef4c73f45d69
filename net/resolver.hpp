// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net/address.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>

namespace WEIR_API weir {

/// A TCP port: a number, also as text, or the name of a service. An empty text is port 0.
///
/// Errors    ValueError "port must be 0-65535, not 70000".
class Port {
 public:
  Port(int number);                                               // NOLINT: implicit by design
  Port(std::string_view service);                                 // NOLINT: likewise
  Port(const char* service) : Port(std::string_view(service)) {}  // NOLINT: likewise

  bool numeric() const noexcept { return name_.empty(); }
  std::uint16_t number() const noexcept { return number_; }
  /// What getaddrinfo() takes.
  std::string service() const { return numeric() ? std::to_string(number_) : std::string(name_); }

 private:
  std::string_view name_;
  std::uint16_t number_ = 0;
};

/// One answer: where to connect or bind, and with what kind of socket.
struct AddressInfo {
  AddressInfo(int its_family, int its_type, int its_protocol, Endpoint its_endpoint)
      : family(its_family),
        type(its_type),
        protocol(its_protocol),
        endpoint(std::move(its_endpoint)) {}
  int family;
  int type;
  int protocol;
  Endpoint endpoint;
};

/// What to ask for; zeros mean anything.
struct ResolveOptions {
  int family = AF_UNSPEC;
  int type = SOCK_STREAM;
  int protocol = 0;
  int flags = 0;  // AI_…
};

/// Looks up `host` and `port`. Numeric addresses are answered here, at once; everything else goes
/// to getaddrinfo() on a thread of the loop's lookup_executor().
///
/// Shape     An empty host means "any" with AI_PASSIVE, else this machine.
///           The answer may be empty.
/// Errors    GaiError "[Errno -2] Name or service not known" and its like. OSError  the system
///           failed. ValueError  a host of more than 253 bytes, a host or service with a NUL
///           inside: nothing is looked up.
/// Threads   In a task.
/// Lifetime  `host` and `port` are copied before this returns.
/// Source    CPython base_events.py _ensure_resolved.
Coro<std::vector<AddressInfo>> getaddrinfo(std::string_view host, Port port,
                                           const ResolveOptions& options = {});

}  // namespace weir
