// SPDX-License-Identifier: MIT
#include <tests/sim/world.hpp>

#include <chrono>
#include <exception>

#include <weir/net/connect.hpp>
#include <weir/net/unix_connect.hpp>
#include <weir/net/unix_server.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/streams/open_unix_connection.hpp>
#include <weir/streams/start_server.hpp>
#include <weir/streams/start_unix_server.hpp>

#include <tests/sim/stream_side.hpp>

namespace weir::sim {
namespace {

using namespace std::chrono_literals;

// A window of one byte makes a hundred thousand bytes half a million events.
constexpr std::uint64_t most_events = 2'000'000;
constexpr int first_port = 4000;
constexpr int most_attempts = 5;
constexpr Duration settle_time = 10s;
constexpr Duration last_time = 400s;  // Longer than all the sleeps and time-outs of a script.

std::string path_of(std::size_t number) { return "/sim/" + std::to_string(number); }
int port_of(std::size_t number) { return first_port + static_cast<int>(number); }

// ---- Servers

Coro<> handle_client(World* world, World::Place* place, StreamReader reader, StreamWriter writer) {
  End& end = world->accept(*place);
  co_await stream_side(&end, std::move(reader), std::move(writer));
}

/// What the callback makes itself must be looked after by itself.
Coro<> handle_in_own_task(World* world, World::Place* place, StreamReader reader,
                          StreamWriter writer) {
  const Outcome<> result =
      co_await outcome(handle_client(world, place, std::move(reader), std::move(writer)));
  try {
    result.value();
  } catch (const Planted&) {
    world->hear_planted();
  }
}

ClientConnected callback_of(World* world, World::Place* place) {
  if (!place->script.own_tasks) {
    return [world, place](StreamReader reader, StreamWriter writer) {
      return handle_client(world, place, std::move(reader), std::move(writer));
    };
  }
  return [world, place](StreamReader reader, StreamWriter writer) {
    const Task<> task = world->loop.create_task(
        handle_in_own_task(world, place, std::move(reader), std::move(writer)));
    if (place->script.cancel_after == Duration::zero()) return;
    world->keep(world->loop.call_later(place->script.cancel_after, [world, task] {
      if (task.cancel()) world->mark(Mark::handler_cancelled);
    }));
  };
}

Coro<Server> start_place(World* world, std::size_t number) {
  World::Place* place = &world->place(number);
  const ServerScript& script = place->script;
  const int backlog = static_cast<int>(script.backlog);
  if (script.streams) {
    const auto limit = static_cast<std::ptrdiff_t>(script.sides.front().limit);
    ClientConnected callback = callback_of(world, place);
    if (script.is_unix) {
      const StartUnixServerOptions options{.limit = limit, .backlog = backlog};
      return start_unix_server(std::move(callback), path_of(number), options);
    }
    const StartServerOptions options{.limit = limit, .backlog = backlog};
    return start_server(std::move(callback), "127.0.0.1", port_of(number), options);
  }
  const auto factory = [world, place] { return make_face(world->accept(*place)); };
  if (script.is_unix) {
    const UnixServerOptions options{.backlog = backlog};
    return create_unix_server(factory, path_of(number), options);
  }
  const ServerOptions options{.backlog = backlog};
  return create_server(factory, "127.0.0.1", port_of(number), options);
}

Coro<> serve(World* world, std::size_t number) {
  const World::Alive alive(*world);
  World::Place& place = world->place(number);
  for (int left = most_attempts; left > 0 && !place.server; --left) {
    Outcome<Server> started = co_await outcome(start_place(world, number));
    if (!started.exception()) {
      place.server = std::move(started).value();
    } else {  // Out of descriptors, say.
      world->mark(Mark::server_failed);
      co_await sleep(1s);
    }
  }
  if (!place.server) co_return;
  if (place.script.close_after != Duration::zero()) {
    co_await sleep(place.script.close_after);
    world->close_server(place);
  }
  const Server server = *place.server;
  co_await server.wait_closed();
}

// ---- Clients

Coro<> connect_protocol(World* world, const ClientScript* script, End* end) {
  const auto factory = [end] { return make_face(*end); };
  if (world->place(script->server).script.is_unix) {
    co_await create_unix_connection(factory, path_of(script->server));
    co_return;
  }
  ConnectOptions options;
  if (script->happy_eyeballs) options.happy_eyeballs_delay = 250ms;
  const char* host = script->by_name ? "both" : "127.0.0.1";
  co_await create_connection(factory, host, port_of(script->server), options);
}

Coro<> connect_stream(World* world, const ClientScript* script, End* end) {
  Coro<Streams> opening = [&] {
    const auto limit = static_cast<std::ptrdiff_t>(end->side().limit);
    if (world->place(script->server).script.is_unix) {
      const OpenUnixOptions options{.limit = limit};
      return open_unix_connection(path_of(script->server), options);
    }
    OpenOptions options{.limit = limit};
    if (script->happy_eyeballs) options.happy_eyeballs_delay = 250ms;
    const char* host = script->by_name ? "both" : "127.0.0.1";
    return open_connection(host, port_of(script->server), options);
  }();
  Outcome<Streams> opened = co_await outcome(std::move(opening));
  Streams streams = std::move(opened).value();
  world->mark(Mark::connected);
  Outcome<> done =
      co_await outcome(stream_side(end, std::move(streams.reader), std::move(streams.writer)));
  try {
    done.value();
  } catch (const Planted&) {
    world->hear_planted();
  }
}

Coro<> run_client(World* world, const ClientScript* script, End* end) {
  const World::Alive alive(*world);
  co_await sleep(script->start_after);
  Coro<> connecting = script->side.style == Style::stream ? connect_stream(world, script, end)
                                                          : connect_protocol(world, script, end);
  const Outcome<> result = co_await outcome(std::move(connecting));
  try {
    result.value();
    world->mark(Mark::connected);
  } catch (const OSError&) {  // Nobody was there, or nobody could be reached.
    world->mark(Mark::connect_failed);
  }
}

}  // namespace

World::World(const Script& script, bool records)
    : kernel(script.seed, script.faults), loop(kernel), script_(script) {
  kernel.trace().record(records);
  kernel.set_max_events(most_events);
  kernel.add_host("both", {"::1", "127.0.0.1"});
  for (const ServerScript& server : script.servers) places_.emplace_back(server);
  loop.set_log_sink([](LogLevel, std::string_view) {});
  loop.set_exception_handler(
      [this](EventLoop&, const ExceptionContext& context) { hear(context); });
}

World::~World() { loop.close(); }

void World::complain(const std::string& what) {
  if (!violation_.empty()) return;
  violation_ = what;
  note("VIOLATION: " + what);
}

/// What the loop reports: what was thrown on purpose, or that the machine is out of something.
void World::hear(const ExceptionContext& context) {
  try {
    if (context.exception) std::rethrow_exception(context.exception);
    complain("reported: " + context.message);
  } catch (const Planted&) {
    hear_planted();
  } catch (const OSError&) {
    if (context.message.starts_with("socket.accept()")) return mark(Mark::accept_out_of_resources);
    complain("reported: " + context.message + ": " + describe(context.exception));
  } catch (...) {
    complain("reported: " + context.message + ": " + describe(context.exception));
  }
}

End& World::add_end(const Side& side, std::string name) {
  return ends_.emplace_back(*this, side, std::move(name));
}

End& World::accept(Place& place) {
  const std::uint32_t number = ++place.clients;
  mark(Mark::accepted);
  if (place.script.factory_fails && number % 3 == 0) {
    mark(Mark::factory_failed);
    note_raise();
    throw Planted();
  }
  const auto which = static_cast<std::size_t>(&place - &places_.front());
  End& end = add_end(place.script.sides[(number - 1) % place.script.sides.size()],
                     "client " + std::to_string(number) + " at server " + std::to_string(which));
  place.ends.push_back(&end);
  return end;
}

void World::close_server(Place& place) {
  if (!place.server) return;
  mark(Mark::server_closed);
  place.server->close();
  using Clients = ServerScript::Clients;
  if (place.script.clients == Clients::left) return;
  const bool aborts = place.script.clients == Clients::aborted;
  for (End* end : place.ends) aborts ? end->note_abort() : end->note_close();
  aborts ? place.server->abort_clients() : place.server->close_clients();
}

void World::register_stream(std::uint64_t stream, End& end) {
  if (stream >= by_stream_.size()) by_stream_.resize(stream + 1);
  by_stream_[stream] = &end;
}

const End* World::peer_of(std::uint64_t stream) const {
  const std::uint64_t peer = stream ^ 1U;
  return peer < by_stream_.size() ? by_stream_[peer] : nullptr;
}

// ---- The run

void World::begin() {
  for (std::size_t i = 0; i < places_.size(); ++i)
    tasks_.push_back(loop.create_task(serve(this, i)));
  for (std::size_t i = 0; i < script_.clients.size(); ++i) {
    const ClientScript& client = script_.clients[i];
    End& end = add_end(client.side, "client " + std::to_string(i));
    const Task<> task = loop.create_task(run_client(this, &client, &end));
    tasks_.push_back(task);
    if (client.cancel_after == Duration::zero()) continue;
    keep(loop.call_later(client.cancel_after, [this, task, its = &end] {
      if (!task.cancel()) return;
      mark(Mark::client_cancelled);
      its->note_cancel();
    }));
  }
}

void World::run_for(Duration time) {
  const TimerHandle timer = loop.call_later(time, [this] { loop.stop(); });
  loop.run_forever();
}

void World::check_quiet() {
  for (End& end : ends_) end.check_quiet();
  for (const Place& place : places_) {
    if (!place.server) continue;
    for (const TransportSocket& listener : place.server->sockets()) {
      if (kernel.readable(listener.fd())) complain("clients wait, and nobody accepts them");
    }
  }
}

/// Things go wrong; then they do not, and everybody must be served who waits for what is there;
/// then those who wait for each other are let go; then all must be over.
Result World::run() {
  try {
    begin();
    run_for(script_.horizon);
    kernel.heal();
    run_for(settle_time);
    check_quiet();
    for (std::size_t i = 0; i < ends_.size(); ++i) ends_[i].release(i < script_.clients.size());
    run_for(settle_time);
    check_quiet();
    finish();
    run_for(last_time);
    check_over();
  } catch (...) {
    complain("run_forever() threw " + describe(std::current_exception()));
  }
  marks_[static_cast<std::size_t>(Mark::stale_event)] = loop.stats().stale_events;
  Result result;
  result.violation = violation_;
  result.hash = kernel.trace().hash();
  result.events = kernel.trace().events();
  result.marks = marks_;
  for (std::size_t i = 0; i < sim_fault_count; ++i)
    result.injected[i] = kernel.injected(static_cast<SimFault>(i));
  result.trace = kernel.trace().lines();
  return result;
}

void World::finish() {
  for (Place& place : places_) {
    if (place.server) place.server->close();
  }
  for (End& end : ends_) end.abort();
  for (TimerHandle& timer : timers_) timer.cancel();
}

void World::check_over() {
  for (End& end : ends_) {
    end.abort();  // Whoever has come last. Nothing happens any more but what is due.
    end.check_over();
  }
  for (const Task<>& task : tasks_) {
    if (!task.done()) {
      complain("a task does not end");
    } else if (!task.cancelled() && task.exception()) {
      complain("a task ended by " + describe(task.exception()));
    }
  }
  if (alive_ != 0) complain(std::to_string(alive_) + " coroutines have not ended");
  if (!loop.owns_nothing()) complain("the loop still owns something");
  if (!loop.timers().empty()) complain("a timer is left");
  for (const int fd : kernel.open_fds()) complain("descriptor " + std::to_string(fd) + " is open");
  if (!kernel.registered_fds().empty()) complain("a descriptor is still registered");
  for (const std::string& misuse : kernel.misuses()) complain(misuse);
  if (raised_ != reported_)
    complain(std::to_string(raised_) + " exceptions were thrown, " + std::to_string(reported_) +
             " reported");
}

Result run(const Script& script, bool records) {
  World world(script, records);
  return world.run();
}

}  // namespace weir::sim
