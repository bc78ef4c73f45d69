// SPDX-License-Identifier: MIT
#include <chrono>
#include <memory>
#include <string>

#include <weir/net/connect.hpp>
#include <weir/net/resolver.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/faults/party.hpp>
#include <tests/faults/scenario_lists.hpp>

// Making connections: addresses, names, races.

namespace weir::faults {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t port = 4000;

auto party_factory(Stage stage, Flow* flow = nullptr) {
  return [stage, flow] { return std::make_shared<Party>(stage, "client", flow); };
}

/// What every connection that stands is used for: a question and its answer.
Coro<> talk(Stage stage, Connection<Party> connection, Peer peer) {
  const TransportGuard guard(connection.transport);
  Flow& question = stage.oracle.flow("question");
  Flow& answer = stage.oracle.flow("answer");
  question.sent = "what is it?";
  answer.sent = "a reactor";
  connection.transport->write(question.sent);
  co_await until([&] {
    peer.take(question);
    return question.received == question.sent || connection.protocol->lost();
  });
  peer.put(answer.sent);
  co_await until([&] { return answer.received == answer.sent || connection.protocol->lost(); });
  peer.close();
  co_await until([&] { return connection.protocol->lost(); });
  stage.oracle.result("talked");
}

Coro<> connect_and_talk(Stage stage, std::string host, ConnectOptions options) {
  const Peer listener = Peer::listen(stage, port);
  Connection<Party> connection = co_await create_connection(
      party_factory(stage, &stage.oracle.flow("answer")), host, port, options);
  co_await talk(stage, std::move(connection), Peer::accept(stage, listener));
}

Coro<> connect(Stage stage) { return connect_and_talk(stage, "127.0.0.1", {}); }

Coro<> connect_in_progress(Stage stage) {
  stage.machine.set_connects(FakeKernel::Connects::in_progress);
  return connect_and_talk(stage, "127.0.0.1", {});
}

Coro<> connect_from_local_address(Stage stage) {
  return connect_and_talk(stage, "127.0.0.1",
                          {.local_addr = LocalAddress{.host = "127.0.0.1", .port = 5000}});
}

Coro<> connect_refused(Stage stage) {
  const auto refused = co_await outcome(create_connection(party_factory(stage), "127.0.0.1", port));
  if (refused.has_value()) refused.value().transport->abort();
  if (refused.failed_with<ConnectionRefusedError>()) {
    stage.oracle.result("refused");
  } else {
    static_cast<void>(refused.value());
  }
}

Coro<> resolve(Stage stage) {
  {
    const Exempt exempt;
    stage.machine.add_host("example.org", {"192.0.2.1", "2001:db8::1"});
  }
  const std::vector<AddressInfo> found = co_await getaddrinfo("example.org", 80);
  if (found.empty()) throw OSError("getaddrinfo() returned empty list");
  std::string text;
  for (const AddressInfo& info : found) text += info.endpoint.repr();
  stage.oracle.result(text);
}

Coro<> connect_by_name(Stage stage) { return connect_and_talk(stage, "localhost", {}); }

/// The first two addresses lead nowhere, the third to somebody.
Coro<> several_addresses(Stage stage) {
  {
    const Exempt exempt;
    stage.machine.add_host("many", {"127.0.0.2", "127.0.0.3", "127.0.0.1"});
  }
  stage.machine.set_connects(FakeKernel::Connects::in_progress);
  return connect_and_talk(stage, "many", {});
}

/// What was held is answered: by whoever listens there, or by nobody.
void answer_all(FakeKernel& machine) {
  const Exempt exempt;
  for (const int fd : machine.open_fds()) {
    try {
      machine.finish_connect(fd);
    } catch (const ValueError&) {  // Not one that connects.
    }
  }
}

/// Nobody answers the first address in time; the second one is tried besides it.
Coro<> connect_race(Stage stage) {
  {
    const Exempt exempt;
    stage.machine.add_host("slow", {"127.0.0.2", "127.0.0.1"});
  }
  stage.machine.set_connects(FakeKernel::Connects::held);
  TimerHandle answering = get_running_loop().call_later(400ms, [stage] {
    stage.machine.set_connects(FakeKernel::Connects::in_progress);
    answer_all(stage.machine);
  });
  const Outcome<> raced =
      co_await outcome(connect_and_talk(stage, "slow", {.happy_eyeballs_delay = 250ms}));
  answering.cancel();
  raced.value();
}

Coro<> cancelled_connect(Stage stage) {
  const Peer listener = Peer::listen(stage, port);
  stage.machine.set_connects(FakeKernel::Connects::held);
  const auto late =
      co_await outcome(wait_for(create_connection(party_factory(stage), "127.0.0.1", port), 50ms));
  if (late.has_value()) late.value().transport->abort();
  if (!late.failed_with<TimeoutError>()) static_cast<void>(late.value());
  stage.oracle.result("timed-out");
}

Coro<> accepted_socket(Stage stage) {
  int fds[2];
  {
    const Exempt exempt;
    if (stage.machine.socketpair(AF_UNIX, SOCK_STREAM, fds) != 0) co_return;
  }
  Peer peer(stage, fds[1]);
  Socket socket(stage.kernel, fds[0]);
  Connection<Party> connection = co_await connect_accepted_socket(
      party_factory(stage, &stage.oracle.flow("answer")), std::move(socket));
  co_await talk(stage, std::move(connection), std::move(peer));
}

constexpr Scenario list[] = {
    {"connect", connect},
    {"connect_in_progress", connect_in_progress},
    {"connect_from_local_address", connect_from_local_address},
    {"connect_refused", connect_refused},
    {"resolve", resolve},
    {"connect_by_name", connect_by_name},
    {"several_addresses", several_addresses},
    {"connect_race", connect_race},
    {"cancelled_connect", cancelled_connect},
    {"accepted_socket", accepted_socket},
};

}  // namespace

std::span<const Scenario> connect_scenarios() { return list; }

}  // namespace weir::faults
