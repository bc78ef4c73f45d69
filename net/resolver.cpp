// SPDX-License-Identifier: MIT
#include <weir/net/resolver.hpp>

#include <netdb.h>
#include <netinet/in.h>

#include <charconv>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/run_in_executor.hpp>

namespace weir {
namespace {

static_assert(std::is_trivially_destructible_v<ResolveOptions>);

constexpr std::size_t max_host_bytes =
    253;  // RFC 1035: 255 on the wire, two of them length and root.
constexpr int max_port = 65535;

[[noreturn]] void throw_bad_port(std::string_view port) {
  throw ValueError("port must be 0-65535, not " + std::string(port));
}

void check_names(std::string_view host, std::string_view service) {
  if (host.find('\0') != std::string_view::npos)
    throw ValueError("embedded null character in host name");
  if (service.find('\0') != std::string_view::npos)
    throw ValueError("embedded null character in service name");
  if (host.size() > max_host_bytes) {
    throw ValueError("host name is " + std::to_string(host.size()) + " bytes long, at most " +
                     std::to_string(max_host_bytes) + " are allowed: '" +
                     std::string(host.substr(0, 32)) + "...'");
  }
}

int protocol_number_for(const ResolveOptions& options) {
  if (options.protocol != 0) return options.protocol;
  return options.type == SOCK_STREAM ? IPPROTO_TCP : options.type == SOCK_DGRAM ? IPPROTO_UDP : 0;
}

/// Runs on a thread of the executor: touches the kernel, nothing of the loop.
std::vector<AddressInfo> ask_resolver(Kernel& kernel, const std::string& host,
                                      const std::string& service, const ResolveOptions& options) {
  addrinfo hints{};
  hints.ai_family = options.family;
  hints.ai_socktype = options.type;
  hints.ai_protocol = options.protocol;
  hints.ai_flags = options.flags;
  addrinfo* list = nullptr;
  int system_error = 0;
  const int code = kernel.getaddrinfo(host.empty() ? nullptr : host.c_str(), service.c_str(),
                                      &hints, &list, &system_error);
  const auto free_list = [&kernel](addrinfo* owned) {
    if (owned != nullptr) kernel.freeaddrinfo(owned);
  };
  const std::unique_ptr<addrinfo, decltype(free_list)> owner(list, free_list);
  if (code == EAI_SYSTEM) throw_os_error(system_error);
  if (code != 0) throw GaiError(code, ::gai_strerror(code));
  std::vector<AddressInfo> answers;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    answers.emplace_back(at->ai_family, at->ai_socktype, at->ai_protocol,
                         Endpoint(at->ai_addr, at->ai_addrlen));
  }
  return answers;
}

Coro<std::vector<AddressInfo>> resolve(std::string host, std::string service,
                                       ResolveOptions options) {
  EventLoop& loop = get_running_loop();
  const Future<std::vector<AddressInfo>> lookup = loop.run_in_executor(
      loop.lookup_executor(), [&kernel = loop.kernel(), host, service, options] {
        return ask_resolver(kernel, host, service, options);
      });
  co_return co_await lookup;
}

Coro<std::vector<AddressInfo>> known(AddressInfo info) {
  std::vector<AddressInfo> answers;
  answers.push_back(std::move(info));
  co_return answers;
}

}  // namespace

Port::Port(int number) {
  if (number < 0 || number > max_port) throw_bad_port(std::to_string(number));
  number_ = static_cast<std::uint16_t>(number);
}

// A number is read here, because getaddrinfo() would take "70000" for port 4464, and "-1" for
// 65535.
Port::Port(std::string_view service) : name_(service) {
  const bool has_sign = service.starts_with('+') || service.starts_with('-');
  const std::string_view digits = service.substr(has_sign ? 1 : 0);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return;
  int number = 0;
  const std::errc error = std::from_chars(digits.data(), digits.data() + digits.size(), number).ec;
  const bool negative = service.starts_with('-') && number != 0;
  if (error != std::errc() || number > max_port || negative) throw_bad_port(service);
  name_ = {};
  number_ = static_cast<std::uint16_t>(number);
}

Coro<std::vector<AddressInfo>> getaddrinfo(std::string_view host, Port port,
                                           const ResolveOptions& options) {
  const std::string service = port.service();
  check_names(host, service);
  if (port.numeric()) {
    const auto endpoint = Endpoint::parse(host, port.number());
    if (endpoint && (options.family == AF_UNSPEC || options.family == endpoint->family())) {
      return known(
          AddressInfo(endpoint->family(), options.type, protocol_number_for(options), *endpoint));
    }
  }
  return resolve(std::string(host), service, options);
}

}  // namespace weir
