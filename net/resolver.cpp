// SPDX-License-Identifier: MIT
#include <weir/net/resolver.hpp>

#include <netdb.h>
#include <netinet/in.h>

#include <memory>
#include <type_traits>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/run_in_executor.hpp>

namespace weir {
namespace {

static_assert(std::is_trivially_destructible_v<ResolveOptions>);

constexpr std::size_t max_host_bytes = 253;  // RFC 1035: 255 on the wire, two of them length and root.

void check_host(std::string_view host) {
  if (host.find('\0') != std::string_view::npos) throw ValueError("embedded null character in host name");
  if (host.size() > max_host_bytes) {
    throw ValueError("host name is " + std::to_string(host.size()) + " bytes long, at most " +
                     std::to_string(max_host_bytes) + " are allowed: '" + std::string(host.substr(0, 32)) + "...'");
  }
}

int protocol_for(const ResolveOptions& options) {
  if (options.protocol != 0) return options.protocol;
  return options.type == SOCK_STREAM ? IPPROTO_TCP : options.type == SOCK_DGRAM ? IPPROTO_UDP : 0;
}

/// Runs on a thread of the executor: touches the kernel, nothing of the loop.
std::vector<AddressInfo> look_up(Kernel& kernel, const std::string& host, const std::string& service,
                                 const ResolveOptions& options) {
  addrinfo hints{};
  hints.ai_family = options.family;
  hints.ai_socktype = options.type;
  hints.ai_protocol = options.protocol;
  hints.ai_flags = options.flags;
  addrinfo* list = nullptr;
  int system_error = 0;
  const int code = kernel.getaddrinfo(host.empty() ? nullptr : host.c_str(), service.c_str(), &hints, &list,
                                      &system_error);
  const auto free_list = [&kernel](addrinfo* owned) {
    if (owned != nullptr) kernel.freeaddrinfo(owned);
  };
  const std::unique_ptr<addrinfo, decltype(free_list)> owner(list, free_list);
  if (code == EAI_SYSTEM) throw_os_error(system_error);
  if (code != 0) throw GaiError(code, ::gai_strerror(code));
  std::vector<AddressInfo> answers;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    answers.emplace_back(at->ai_family, at->ai_socktype, at->ai_protocol, Endpoint(at->ai_addr, at->ai_addrlen));
  }
  if (answers.empty()) throw OSError("getaddrinfo() returned empty list");
  return answers;
}

Coro<std::vector<AddressInfo>> resolve(std::string host, std::string service, ResolveOptions options) {
  EventLoop& loop = get_running_loop();
  const Future<std::vector<AddressInfo>> lookup = loop.run_in_executor(
      [&kernel = loop.kernel(), host, service, options] { return look_up(kernel, host, service, options); });
  co_return co_await lookup;
}

Coro<std::vector<AddressInfo>> known(AddressInfo info) {
  std::vector<AddressInfo> answers;
  answers.push_back(std::move(info));
  co_return answers;
}

}  // namespace

Port::Port(int number) {
  if (number < 0 || number > 65535) throw ValueError("port must be 0-65535, not " + std::to_string(number));
  number_ = static_cast<std::uint16_t>(number);
}

Coro<std::vector<AddressInfo>> getaddrinfo(std::string_view host, Port port, const ResolveOptions& options) {
  check_host(host);
  if (port.numeric()) {
    const auto endpoint = Endpoint::parse(host, port.number());
    if (endpoint && (options.family == AF_UNSPEC || options.family == endpoint->family())) {
      return known(AddressInfo(endpoint->family(), options.type, protocol_for(options), *endpoint));
    }
  }
  return resolve(std::string(host), port.service(), options);
}

}  // namespace weir
