// SPDX-License-Identifier: MIT
#include <tests/sim/script.hpp>

#include <chrono>
#include <cstdio>
#include <string_view>

namespace weir::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view do_names[] = {
    "write",         "writelines",     "write_eof",    "close",        "abort",    "raise",
    "pause_reading", "resume_reading", "set_limits",   "send_at_once", "let_go",   "hand_over",
    "drain",         "read",           "readexactly",  "readuntil",    "readline", "read_all",
    "sleep",         "wait_closed",    "close_within",
};
constexpr std::string_view when_names[] = {"made",    "data", "eof",  "paused",
                                           "resumed", "lost", "after"};

/// Mostly small, now and then more than any buffer holds.
std::uint32_t some_bytes(SimRandom& random) {
  switch (random.below(8)) {
    case 0: return 0;
    case 1:
    case 2: return 1 + random.below(16);
    case 3:
    case 4: return 1 + random.below(1000);
    case 5: return 1 + random.below(20'000);
    case 6: return 1 + random.below(4'000);
    default: return random.below(6) == 0 ? 1 + random.below(200'000) : 1 + random.below(100);
  }
}

Do protocol_action(SimRandom& random) {
  static constexpr Do choices[] = {
      Do::write,         Do::write,          Do::write,      Do::write,        Do::writelines,
      Do::write_eof,     Do::close,          Do::close,      Do::abort,        Do::raise,
      Do::pause_reading, Do::resume_reading, Do::set_limits, Do::send_at_once, Do::let_go,
      Do::hand_over,     Do::write,          Do::write,
  };
  return choices[random.below(std::size(choices))];
}

Do stream_action(SimRandom& random) {
  static constexpr Do choices[] = {
      Do::write,        Do::write,     Do::write,    Do::writelines,  Do::drain,
      Do::drain,        Do::read,      Do::read,     Do::readexactly, Do::readexactly,
      Do::readuntil,    Do::readuntil, Do::readline, Do::read_all,    Do::sleep,
      Do::write_eof,    Do::close,     Do::abort,    Do::raise,       Do::wait_closed,
      Do::close_within, Do::write,     Do::read,     Do::readuntil,
  };
  return choices[random.below(std::size(choices))];
}

Step make_step(SimRandom& random, Style style) {
  Step step;
  const std::uint32_t when = random.below(10);
  step.amount = some_bytes(random);
  step.time = random.up_to(20s);
  if (style == Style::stream) {
    step.what = stream_action(random);
    if (when < 6) step.time = Duration::zero();
    // Somebody who waits for ever waits for the other's end; most programs have a time-out.
    if (step.what == Do::sleep || step.what == Do::close_within) step.time = random.up_to(5s);
    return step;
  }
  step.what = protocol_action(random);
  static constexpr When whens[] = {When::made,   When::made,   When::data,  When::data,
                                   When::data,   When::eof,    When::after, When::after,
                                   When::paused, When::resumed};
  step.when = whens[when];
  if (random.below(20) == 0) step.when = When::lost;
  return step;
}

/// What most programs do: send as fast as drain() lets them, or read all there is.
std::vector<Step> make_pump(SimRandom& random) {
  if (random.coin()) return {{When::after, Do::read_all}};
  std::vector<Step> steps;
  for (std::uint32_t left = 1 + random.below(4); left > 0; --left) {
    steps.push_back({When::after, Do::write, 1 + random.below(8000)});
    steps.push_back({When::after, Do::drain});
  }
  return steps;
}

Side make_side(SimRandom& random, Style style) {
  Side side;
  side.style = style;
  side.keeps_open = random.below(3) == 0;
  const std::uint32_t high = 1 + random.below(3000);
  if (random.coin()) side.high = high;
  side.limit = 1 + random.below(random.coin() ? 60 : 3000);
  if (style == Style::stream && random.below(4) == 0) {
    side.steps = make_pump(random);
    return side;
  }
  const std::uint32_t steps = 1 + random.below(8);
  for (std::uint32_t i = 0; i < steps; ++i) side.steps.push_back(make_step(random, style));
  return side;
}

Style protocol_style(SimRandom& random) {
  return random.below(4) == 0 ? Style::buffered : Style::protocol;
}

ServerScript make_server(SimRandom& random) {
  ServerScript server;
  server.is_unix = random.below(4) == 0;
  server.streams = random.coin();
  server.own_tasks = random.coin();
  server.factory_fails = random.below(20) == 0;
  server.backlog = 1 + random.below(random.coin() ? 2 : 20);
  const Duration close_after = random.up_to(30s);
  const Duration cancel_after = random.up_to(10s);
  if (random.below(3) == 0) server.close_after = close_after;
  if (random.below(3) == 0) server.cancel_after = cancel_after;
  server.clients = static_cast<ServerScript::Clients>(random.below(3));
  const std::uint32_t sides = 1 + random.below(3);
  for (std::uint32_t i = 0; i < sides; ++i) {
    const Style style = server.streams ? Style::stream : protocol_style(random);
    server.sides.push_back(make_side(random, style));
  }
  return server;
}

ClientScript make_client(SimRandom& random, std::uint32_t servers) {
  ClientScript client;
  client.server = random.below(servers);
  client.by_name = random.below(4) == 0;
  client.happy_eyeballs = random.below(4) == 0;
  client.start_after = random.up_to(5s);
  const Duration cancel_after = random.up_to(20s);
  if (random.below(4) == 0) client.cancel_after = cancel_after;
  const Style style = random.coin() ? Style::stream : protocol_style(random);
  client.side = make_side(random, style);
  return client;
}

// ---- Printing

std::string seconds(Duration time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6f s", std::chrono::duration<double>(time).count());
  return text;
}

std::string line_of(const Step& step, Style style) {
  std::string line = "    ";
  if (style != Style::stream) {
    line += std::string(when_names[static_cast<std::size_t>(step.when)]);
    if (step.when == When::after) line += " " + seconds(step.time);
    line += ": ";
  }
  line += to_string(step.what);
  switch (step.what) {
    case Do::write:
    case Do::writelines:
    case Do::set_limits:
    case Do::read:
    case Do::readexactly: line += " " + std::to_string(step.amount); break;
    default: break;
  }
  if (style == Style::stream && step.time != Duration::zero())
    line += ", at most " + seconds(step.time);
  return line + "\n";
}

std::string lines_of(const Side& side) {
  std::string lines;
  for (const Step& step : side.steps) lines += line_of(step, side.style);
  return lines;
}

std::string kind_of(const Side& side) {
  std::string kind = side.style == Style::buffered ? "a buffered protocol" : "a protocol";
  if (side.style == Style::stream) kind = "a stream, limit " + std::to_string(side.limit);
  if (side.high != 0) kind += ", high-water mark " + std::to_string(side.high);
  if (side.style == Style::stream) return kind;
  return kind + (side.keeps_open ? ", that stays after the end" : "");
}

std::string text_of(const ServerScript& server, std::size_t number) {
  std::string text = "server " + std::to_string(number) + ": " + (server.is_unix ? "unix" : "tcp") +
                     ", backlog " + std::to_string(server.backlog);
  if (server.factory_fails) text += ", its factory fails for every third client";
  if (server.own_tasks && server.cancel_after != Duration::zero())
    text += ", cancels its clients' tasks after " + seconds(server.cancel_after);
  if (server.close_after != Duration::zero()) {
    static constexpr std::string_view clients[] = {"", " and its clients", ", aborts its clients"};
    text += ", closes" + std::string(clients[static_cast<std::size_t>(server.clients)]) +
            " after " + seconds(server.close_after);
  }
  text += "\n";
  for (std::size_t i = 0; i < server.sides.size(); ++i) {
    text += "  client " + std::to_string(i + 1) +
            (server.sides.size() > 1 ? " of " + std::to_string(server.sides.size()) : "") +
            " finds " + kind_of(server.sides[i]) + ":\n" + lines_of(server.sides[i]);
  }
  return text;
}

std::string text_of(const ClientScript& client, std::size_t number) {
  std::string text = "client " + std::to_string(number) + ": " + kind_of(client.side) +
                     ", to server " + std::to_string(client.server) + " after " +
                     seconds(client.start_after);
  if (client.by_name) text += ", by name";
  if (client.happy_eyeballs) text += ", with happy eyeballs";
  if (client.cancel_after != Duration::zero())
    text += ", cancelled after " + seconds(client.cancel_after);
  return text + "\n" + lines_of(client.side);
}

}  // namespace

std::string to_string(Do what) { return std::string(do_names[static_cast<std::size_t>(what)]); }

Script make_script(std::uint64_t seed) {
  SimRandom random(seed ^ 0x5eedU);
  Script script;
  script.seed = seed;
  script.faults = SimOptions::swarm(random);
  const bool long_run = random.below(4) == 0;
  script.horizon = long_run ? Duration(2h) : Duration(60s);
  const std::uint32_t servers = 1 + random.below(2);
  for (std::uint32_t i = 0; i < servers; ++i) script.servers.push_back(make_server(random));
  const std::uint32_t clients = 1 + random.below(6);
  for (std::uint32_t i = 0; i < clients; ++i)
    script.clients.push_back(make_client(random, servers));
  return script;
}

std::string to_string(const Script& script) {
  std::string text = "faults:";
  bool any = false;
  for (std::size_t i = 0; i < sim_fault_count; ++i) {
    if (script.faults.rates[i] == 0) continue;
    any = true;
    text += " " + std::string(to_string(static_cast<SimFault>(i))) + " " +
            std::to_string(script.faults.rates[i]) + "/1000";
  }
  text += any ? "\n" : " none\n";
  for (std::size_t i = 0; i < script.servers.size(); ++i) text += text_of(script.servers[i], i);
  for (std::size_t i = 0; i < script.clients.size(); ++i) text += text_of(script.clients[i], i);
  return text;
}

}  // namespace weir::sim
