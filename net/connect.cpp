// SPDX-License-Identifier: MIT
#include <weir/net/connect.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include <weir/net/connect_race.hpp>
#include <weir/net/socket_transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/future.hpp>

namespace weir::detail {
namespace {

/// The families in turn, each in its order, `first_count` of the first one in front.
/// RFC 8305, section 4; CPython base_events.py _interleave_addrinfos.
std::vector<AddressInfo> interleaved(const std::vector<AddressInfo>& addresses, int first_count) {
  std::vector<std::vector<AddressInfo>> families;
  for (const AddressInfo& info : addresses) {
    const auto known = std::find_if(families.begin(), families.end(), [&](const auto& family) {
      return family.front().family == info.family;
    });
    known != families.end() ? known->push_back(info) : families.push_back({info});
  }
  std::vector<AddressInfo> ordered;
  ordered.reserve(addresses.size());
  const std::size_t in_front =
      std::min(static_cast<std::size_t>(first_count - 1), families.front().size());
  for (std::size_t i = 0; i < in_front; ++i) ordered.push_back(families.front()[i]);
  families.front().erase(families.front().begin(),
                         families.front().begin() + static_cast<std::ptrdiff_t>(in_front));
  for (std::size_t round = 0; ordered.size() < addresses.size(); ++round) {
    for (const auto& family : families) {
      if (round < family.size()) ordered.push_back(family[round]);
    }
  }
  return ordered;
}

/// All as a group, if that is wanted. Else: one error: itself. All with one text: the first. Else a
/// text that has them all.
[[noreturn]] void throw_all(const std::vector<std::exception_ptr>& errors, bool as_group) {
  if (as_group) throw ExceptionGroup("create_connection failed", errors);
  const std::string first = message_of(errors.front());
  const bool same = std::all_of(errors.begin(), errors.end(), [&](const std::exception_ptr& error) {
    return message_of(error) == first;
  });
  if (same) std::rethrow_exception(errors.front());
  std::string text = "Multiple exceptions: " + first;
  for (std::size_t i = 1; i < errors.size(); ++i) text += ", " + message_of(errors[i]);
  throw OSError(text);
}

/// What of the options matters once the names are resolved.
struct RaceOptions {
  std::optional<Duration> delay;
  int interleave;  // 0: in the resolver's order.
  bool all_errors;
};

using Addresses = std::vector<AddressInfo>;

Coro<Addresses> resolved(Coro<Addresses> resolving) {
  Addresses addresses = co_await std::move(resolving);
  if (addresses.empty()) throw OSError("getaddrinfo() returned empty list");
  co_return addresses;
}

/// `local` resolves to where the sockets are bound; nothing: anywhere.
Coro<Socket> connect_to_any(Coro<Addresses> remote, std::optional<Coro<Addresses>> local,
                            RaceOptions options) {
  ConnectPlan plan;
  plan.delay = options.delay;
  plan.addresses = co_await resolved(std::move(remote));
  if (local) plan.local = co_await resolved(*std::move(local));
  if (options.interleave > 0) plan.addresses = interleaved(plan.addresses, options.interleave);
  ConnectRace race(get_running_loop(), std::move(plan));
  while (!race.decided()) {
    const Future<> change = race.change();
    co_await change;
  }
  Socket winner = race.take_winner();
  if (!winner.valid()) throw_all(race.errors(), options.all_errors);
  co_return winner;
}

Coro<Socket> already_connected(Socket socket) { co_return socket; }

}  // namespace

void check_connect_arguments(bool has_address, const ConnectOptions& options) {
  if (has_address && options.sock != nullptr) {
    throw ValueError("host/port and sock can not be specified at the same time");
  }
  if (!has_address && options.sock == nullptr) {
    throw ValueError("host and port was not specified and no sock specified");
  }
}

Socket take_given_socket(Socket& given) {
  if (given.type() != SOCK_STREAM)
    throw ValueError("A Stream Socket was expected, got " + given.repr());
  if (!given.valid()) throw ValueError("Invalid file descriptor: -1");  // Closed, or given away.
  return std::move(given);
}

Coro<Socket> connect_socket(std::string_view host, Port port, const ConnectOptions& options) {
  const ResolveOptions wanted{
      .family = options.family, .protocol = options.protocol, .flags = options.flags};
  std::optional<Coro<Addresses>> local;
  if (options.local_addr)
    local = getaddrinfo(options.local_addr->host, options.local_addr->port, wanted);
  const RaceOptions race{
      .delay = options.happy_eyeballs_delay,
      .interleave = options.interleave.value_or(options.happy_eyeballs_delay ? 1 : 0),
      .all_errors = options.all_errors};
  return connect_to_any(getaddrinfo(host, port, wanted), std::move(local), race);
}

Coro<Socket> given_socket(const ConnectOptions& options) {
  return already_connected(take_given_socket(*options.sock));
}

Coro<Connection<>> make_transport(Socket socket, std::shared_ptr<BaseProtocol> protocol) {
  EventLoop& loop = get_running_loop();
  const Future<> connected = loop.create_future<void>();
  std::shared_ptr<Transport> transport =
      SocketTransport::start(loop, std::move(socket), protocol, Endpoint(), nullptr, [connected] {
        if (!connected.done()) connected.set_result();
      });
  try {
    co_await connected;
  } catch (...) {
    transport->close();
    throw;
  }
  co_return Connection<>(std::move(transport), std::move(protocol));
}

}  // namespace weir::detail
