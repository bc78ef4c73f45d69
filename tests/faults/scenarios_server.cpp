// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <weir/net/server.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/reactor/task/timeouts.hpp>

#include <tests/faults/party.hpp>
#include <tests/faults/scenario_lists.hpp>

// Servers of protocols, and clients that the machine plays.

namespace weir::faults {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t port = 80;

using Parties = std::vector<std::shared_ptr<Party>>;

/// Sends back what comes.
class Echo final : public Party {
 public:
  using Party::Party;
  void data_received(std::string_view data) override {
    Party::data_received(data);
    transport->write(data);
  }
};

template <class P = Echo>
auto factory(Stage stage, Parties& parties) {
  return [stage, &parties] {
    auto party = std::make_shared<P>(stage, "server");
    parties.push_back(party);
    return party;
  };
}

/// `text` to the server and back.
Coro<> say(Stage stage, Peer& peer, std::string_view name, std::string text) {
  Flow& flow = stage.oracle.flow(name);
  flow.sent += text;
  peer.put(text);
  co_await until([&] {
    peer.take(flow);
    return flow.received == flow.sent || peer.at_eof();
  });
}

/// A client is served and goes; then the server ends.
Coro<> serve_one(Stage stage, Server server, std::uint16_t at) {
  Peer client = Peer::dial(stage, at);
  co_await say(stage, client, "hello", "hello");
  client.close();
  server.close();
  co_await server.wait_closed();
}

Coro<> echo(Stage stage) {
  Parties parties;
  const Server server = co_await create_server(factory(stage, parties), "127.0.0.1", port);
  const ServerGuard guard(server);
  Peer client = Peer::dial(stage, port);
  co_await say(stage, client, "first", "hello");
  co_await say(stage, client, "first", text_of(300));
  client.put_eof();
  co_await until([&] { return client.at_eof(); });
  client.close();
  server.close();
  co_await server.wait_closed();
  stage.oracle.result("echoed");
}

/// Connections go on when the server closes; wait_closed() waits for them.
Coro<> server_close(Stage stage) {
  Parties parties;
  const Server server = co_await create_server(factory(stage, parties), "127.0.0.1", port);
  const ServerGuard guard(server);
  Peer one = Peer::dial(stage, port);
  Peer two = Peer::dial(stage, port);
  co_await say(stage, one, "one", "before");
  co_await say(stage, two, "two", "before");
  server.close();
  co_await say(stage, one, "one", "after");
  one.close();
  two.close();
  co_await server.wait_closed();
  stage.oracle.result("closed");
}

template <bool abort>
Coro<> end_clients(Stage stage) {
  Parties parties;
  const Server server = co_await create_server(factory(stage, parties), "127.0.0.1", port);
  const ServerGuard guard(server);
  Peer one = Peer::dial(stage, port);
  Peer two = Peer::dial(stage, port);
  co_await say(stage, one, "one", "hello");
  co_await say(stage, two, "two", "hello");
  server.close();
  abort ? server.abort_clients() : server.close_clients();
  co_await server.wait_closed();
  co_await until([&] { return one.at_eof() && two.at_eof(); });
  stage.oracle.result("ended");
}

/// A client that does not read what it is sent, so that close() alone does not end it.
Coro<> serve_forever_cancelled(Stage stage) {
  Parties parties;
  stage.machine.set_default_capacity(64);
  const Server server = co_await create_server(factory(stage, parties), "127.0.0.1", port);
  const ServerGuard guard(server);
  const Task<> serving = create_task(server.serve_forever({.grace = 200ms}));
  stage.oracle.must_end("serve_forever()", serving);
  Peer client = Peer::dial(stage, port);
  const std::string much = text_of(1000);
  client.put(much);
  co_await until([&] { return !parties.empty() || serving.done(); });
  serving.cancel();
  const Outcome<> ended = co_await outcome(serving);
  if (!ended.cancelled()) ended.value();
  stage.oracle.result("stopped");
}

Coro<> several_hosts(Stage stage) {
  Parties parties;
  {
    const Exempt exempt;
    stage.machine.add_host("here", {"127.0.0.1", "::1"});
  }
  const Server server = co_await create_server(factory(stage, parties), {"here", "127.0.0.2"}, 0);
  const ServerGuard guard(server);
  std::uint16_t port_of_all = 0;  // Asked of each: one may not say.
  for (const TransportSocket& socket : server.sockets()) {
    port_of_all = std::max(port_of_all, socket.getsockname().port());
  }
  stage.oracle.result(std::to_string(server.sockets().size()) + "-sockets");
  co_await serve_one(stage, server, port_of_all);
}

/// No descriptor is free for a while: nobody is turned away.
Coro<> out_of_descriptors(Stage stage) {
  Parties parties;
  const Server server = co_await create_server(factory(stage, parties), "127.0.0.1", port);
  const ServerGuard guard(server);
  Peer one = Peer::dial(stage, port);
  co_await say(stage, one, "one", "hello");
  Peer two = Peer::dial(stage, port);
  stage.machine.set_max_fds(1);
  get_running_loop().call_later(500ms, [stage] { stage.machine.set_max_fds(0); });
  co_await say(stage, two, "two", "hello");
  one.close();
  two.close();
  server.close();
  co_await server.wait_closed();
  stage.oracle.result("served");
}

Coro<> failing_accepts(Stage stage) {
  Parties parties;
  const Server server = co_await create_server(factory(stage, parties), "127.0.0.1", port);
  const ServerGuard guard(server);
  {
    const Exempt exempt;
    for (const int error : {ECONNABORTED, EPROTO, EINTR, ENETDOWN}) {
      stage.machine.script(Call::accept, {.error = error});
    }
  }
  co_await serve_one(stage, server, port);
  stage.oracle.result("served");
}

/// A factory that throws costs its own connection only.
Coro<> throwing_factory(Stage stage) {
  Parties parties;
  int calls = 0;
  const auto moody = [stage, &parties, &calls] {
    if (++calls == 1) throw ValueError("not this one");
    auto party = std::make_shared<Echo>(stage, "server");
    parties.push_back(party);
    return party;
  };
  const Server server = co_await create_server(moody, "127.0.0.1", port);
  const ServerGuard guard(server);
  Peer refused = Peer::dial(stage, port);
  co_await until([&] { return refused.at_eof(); });
  co_await serve_one(stage, server, port);
  stage.oracle.result("served");
}

Coro<> not_started(Stage stage) {
  Parties parties;
  const Server server =
      co_await create_server(factory(stage, parties), "127.0.0.1", port, {.start_serving = false});
  const ServerGuard guard(server);
  co_await server.start_serving();
  co_await serve_one(stage, server, port);
  stage.oracle.result("served");
}

Coro<> reuse_port(Stage stage) {
  Parties parties;
  const Server server =
      co_await create_server(factory(stage, parties), "127.0.0.1", port, {.reuse_port = true});
  const ServerGuard guard(server);
  co_await serve_one(stage, server, port);
  stage.oracle.result("served");
}

constexpr Scenario list[] = {
    {"echo", echo},
    {"server_close", server_close},
    {"close_clients", end_clients<false>},
    {"abort_clients", end_clients<true>},
    {"serve_forever_cancelled", serve_forever_cancelled},
    {"several_hosts", several_hosts},
    {"out_of_descriptors", out_of_descriptors},
    {"failing_accepts", failing_accepts},
    {"throwing_factory", throwing_factory},
    {"not_started", not_started},
    {"reuse_port", reuse_port},
};

}  // namespace

std::span<const Scenario> server_scenarios() { return list; }

}  // namespace weir::faults
