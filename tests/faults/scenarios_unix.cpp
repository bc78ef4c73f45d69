// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <weir/net/unix_connect.hpp>
#include <weir/net/unix_server.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/streams/streams.hpp>

#include <tests/faults/party.hpp>
#include <tests/faults/scenario_lists.hpp>

// Unix sockets: paths, files that are left behind, full backlogs.

namespace weir::faults {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view path = "/run/app.sock";

class Greeter final : public Party {
 public:
  using Party::Party;
  void connection_made(const std::shared_ptr<Transport>& its) override {
    Party::connection_made(its);
    transport->write("hello");
  }
};

auto greeter(Stage stage) {
  return [stage] { return std::make_shared<Greeter>(stage, "server"); };
}

/// Whether somebody greets there.
Coro<> be_greeted(Stage stage) {
  Flow& flow = stage.oracle.flow("greeting");
  flow.sent = "hello";
  Peer client = Peer::dial(stage, path);
  co_await until([&] {
    client.take(flow);
    return flow.received == flow.sent || client.at_eof();
  });
}

Coro<> unix_connect(Stage stage) {
  const Peer listener = Peer::listen(stage, path);
  Flow& flow = stage.oracle.flow("greeting");
  const auto party = std::make_shared<Party>(stage, "client", &flow);
  const auto factory = [party] { return party; };
  const Connection<Party> connection = co_await create_unix_connection(factory, path);
  const TransportGuard guard(connection.transport);
  Peer peer = Peer::accept(stage, listener);
  flow.sent = "welcome";
  peer.put(flow.sent);
  co_await until([&] { return flow.received == flow.sent || party->lost(); });
  peer.close();
  co_await until([&] { return party->lost(); });
  stage.oracle.result("greeted");
}

/// What it does rests on the scenario, and must not come when that has ended.
struct OwnTimer {
  explicit OwnTimer(TimerHandle its_handle) noexcept : handle(std::move(its_handle)) {}
  OwnTimer(const OwnTimer&) = delete;
  OwnTimer& operator=(const OwnTimer&) = delete;
  ~OwnTimer() { handle.cancel(); }
  TimerHandle handle;
};

/// The backlog is full for a while.
Coro<> unix_backlog_full(Stage stage) {
  const Peer listener = Peer::listen(stage, path, 0);
  const Peer first = Peer::dial(stage, path);
  const auto party = std::make_shared<Party>(stage, "client");
  const auto factory = [party] { return party; };
  Peer accepted(stage, -1);
  OwnTimer accepting(
      get_running_loop().call_later(300ms, [&] { accepted = Peer::accept(stage, listener); }));
  const Outcome<Connection<Party>> made = co_await outcome(create_unix_connection(factory, path));
  accepting.handle.cancel();
  made.value().transport->abort();
  co_await until([&] { return party->lost(); });
  stage.oracle.result("connected");
}

Coro<> unix_refused(Stage stage) {
  {
    const Exempt exempt;
    stage.machine.add_file(std::string(path), S_IFSOCK);
  }
  const auto factory = [stage] { return std::make_shared<Party>(stage); };
  const Outcome<Connection<Party>> refused =
      co_await outcome(create_unix_connection(factory, path));
  if (!refused.failed_with<ConnectionRefusedError>()) static_cast<void>(refused.value());
  const Outcome<Connection<Party>> missing =
      co_await outcome(create_unix_connection(factory, "/nowhere"));
  if (!missing.failed_with<FileNotFoundError>()) static_cast<void>(missing.value());
  stage.oracle.result("refused");
}

Coro<> unix_server(Stage stage) {
  const Server server = co_await create_unix_server(greeter(stage), path);
  const ServerGuard guard(server);
  co_await be_greeted(stage);
  server.close();
  co_await server.wait_closed();
  stage.oracle.result(stage.machine.has_file(std::string(path)) ? "file-left" : "file-gone");
}

Coro<> stale_unix_path(Stage stage) {
  {
    const Exempt exempt;
    stage.machine.add_file(std::string(path), S_IFSOCK);
  }
  const Server server = co_await create_unix_server(greeter(stage), path);
  const ServerGuard guard(server);
  co_await be_greeted(stage);
  server.close();
  co_await server.wait_closed();
  stage.oracle.result("served");
}

Coro<> unix_path_in_use(Stage stage) {
  const Peer listener = Peer::listen(stage, path);
  const Outcome<Server> second = co_await outcome(create_unix_server(greeter(stage), path));
  if (second.has_value()) second.value().close();
  const bool refused = second.failed_with<OSError>();
  if (refused) stage.oracle.told(Place::call, "create_unix_server()", second.exception());
  if (!refused && !second.has_value()) static_cast<void>(second.value());  // Says what it was.
  stage.oracle.result(refused ? "in-use" : "taken");
}

Coro<> answer(StreamReader reader, StreamWriter writer) {
  const TransportGuard guard(writer.transport());
  const std::string question = co_await reader.readline();
  writer.write("re: " + question);
  writer.close();
  co_await writer.wait_closed();
}

Coro<> answer_or_tell(Stage stage, StreamReader reader, StreamWriter writer) {
  const Outcome<> ended = co_await outcome(answer(std::move(reader), std::move(writer)));
  if (ended.exception() && !ended.cancelled())
    stage.oracle.told(Place::call, "server", ended.exception());
}

Coro<> unix_streams(Stage stage) {
  const auto serve = [stage](StreamReader reader, StreamWriter writer) {
    return answer_or_tell(stage, std::move(reader), std::move(writer));
  };
  const Server server = co_await start_unix_server(serve, path);
  const ServerGuard guard(server);
  const Streams streams = co_await open_unix_connection(path);
  const TransportGuard connection(streams.writer.transport());
  Flow& flow = stage.oracle.flow("answer");
  flow.sent = "re: who?\n";
  streams.writer.write("who?\n");
  flow.received = co_await streams.reader.read();
  streams.writer.close();
  co_await streams.writer.wait_closed();
  server.close();
  co_await server.wait_closed();
  stage.oracle.result("answered");
}

constexpr Scenario list[] = {
    {"unix_connect", unix_connect},       {"unix_backlog_full", unix_backlog_full},
    {"unix_refused", unix_refused},       {"unix_server", unix_server},
    {"stale_unix_path", stale_unix_path}, {"unix_path_in_use", unix_path_in_use},
    {"unix_streams", unix_streams},
};

}  // namespace

std::span<const Scenario> unix_scenarios() { return list; }

}  // namespace weir::faults
