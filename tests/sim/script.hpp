// Internal: used by the simulations.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/sim/sim_options.hpp>
#include <weir/reactor/sim/sim_random.hpp>

namespace weir::sim {

// A simulation as a list, so that it can be printed and cut: which faults, which servers and
// clients, and what each of them does.

enum class Style : std::uint8_t { protocol, buffered, stream };

/// When a step of a protocol is done: in a callback, or some time after connection_made. Streams
/// do their steps one after the other.
enum class When : std::uint8_t { made, data, eof, paused, resumed, lost, after };

enum class Do : std::uint8_t {
  // Both styles.
  write,
  writelines,
  write_eof,
  close,
  abort,
  raise,
  // Protocols.
  pause_reading,
  resume_reading,
  set_limits,
  send_at_once,
  let_go,
  hand_over,
  // Streams.
  drain,
  read,
  readexactly,
  readuntil,
  readline,
  read_all,
  sleep,
  wait_closed,
  close_within,
};

struct Step {
  When when = When::after;
  Do what = Do::write;
  std::uint32_t amount = 0;  // Bytes, most often.
  Duration time{};           // When::after: how long after. Streams: the most that it may take, or
                             // nothing: for ever.
};

/// What one end of a connection does.
struct Side {
  Style style = Style::protocol;
  bool keeps_open = false;    // What eof_received() returns.
  std::uint32_t high = 0;     // The high-water mark; 0: as it is made.
  std::uint32_t limit = 100;  // Of the stream's reader.
  std::vector<Step> steps;
};

struct ServerScript {
  bool is_unix = false;
  bool streams = false;        // start_server(), and all sides are streams.
  bool own_tasks = false;      // Its callback makes the task itself, and may cancel it.
  bool factory_fails = false;  // The factory throws for every third client.
  std::uint32_t backlog = 10;
  Duration close_after{};  // Nothing: at the end.
  enum class Clients : std::uint8_t { left, closed, aborted } clients = Clients::left;
  Duration cancel_after{};  // own_tasks: each of them after this time, if any.
  std::vector<Side> sides;  // In turn, for the clients as they come.
};

struct ClientScript {
  std::uint32_t server = 0;
  bool by_name = false;
  bool happy_eyeballs = false;
  Duration start_after{};
  Duration cancel_after{};  // If any.
  Side side;
};

struct Script {
  std::uint64_t seed = 0;
  SimOptions faults;
  Duration horizon{};  // How long things may go wrong.
  std::vector<ServerScript> servers;
  std::vector<ClientScript> clients;
};

/// The script of a seed.
Script make_script(std::uint64_t seed);

/// As somebody would tell it, a line a step.
std::string to_string(const Script& script);
std::string to_string(Do what);

}  // namespace weir::sim
