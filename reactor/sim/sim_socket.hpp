// Internal: used by sim_kernel.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <weir/reactor/clock.hpp>
#include <weir/reactor/kernel.hpp>

namespace weir::detail {

struct SimSocket;
using SimSocketPtr = std::shared_ptr<SimSocket>;

/// Something on its way to a socket. The network delivers these one by one, in order.
struct SimSegment {
  enum class Kind : std::uint8_t { bytes, end, reset };
  Kind kind;
  std::string bytes;
};

/// One end of a simulated connection, a listener, or a regular file: what a descriptor leads to.
/// What it does by itself is here; what takes time or luck is the kernel's.
struct SimSocket {
  enum class State : std::uint8_t { fresh, listening, connecting, connected };

  SimSocket(std::uint64_t its_id, int its_family, std::size_t its_capacity_bytes);

  static void join(const SimSocketPtr& one, const SimSocketPtr& other);

  /// What poll(2) says. A socket without a connection is ready for both: it reports a hang-up.
  bool readable() const;
  bool writable() const;
  /// How many bytes a send() takes now.
  std::size_t room() const;

  /// At most `limit` bytes.
  IoResult recv(std::span<const iovec> buffers, std::size_t limit);
  /// Why send() cannot take anything, or 0; an error is told once, as Linux does.
  int refusal();

  /// A segment arrives. False if it hit a closed socket that must answer with a reset.
  bool arrive(const SimSegment& segment);

  std::string option(int level, int name);
  std::string local_name() const;
  std::string remote_name() const;
  bool listens_at(std::string_view address) const;
  /// Nobody else can bind to `address`. Connections share that of their listener: they do not.
  bool occupies(std::string_view address) const;
  bool lingers_zero_seconds() const;

  std::uint64_t id;
  int family;
  State state = State::fresh;
  std::string local;              // Empty: not bound.
  std::string remote;             // Empty: not connected, or without a name.
  std::weak_ptr<SimSocket> peer;  // Expired once the other side is closed and nothing is left.
  std::string inbox;              // Has come, not yet read.
  std::size_t consumed = 0;       // Bytes at the front of the inbox that have been read.
  std::deque<SimSegment> coming;  // On its way to us; the network has an event for each.
  std::size_t coming_bytes = 0;
  std::optional<std::string> file;  // A regular file, and no socket: its contents.
  std::size_t capacity_bytes;       // Of the peer's inbox and the way to it.
  TimePoint last_arrival;           // When the last one of `coming` is due: nothing overtakes.
  bool end_arrived = false;         // The peer's end of the stream.
  bool dead = false;                // Reset: nothing comes, nothing goes.
  bool shut = false;                // We send no more.
  bool closed = false;
  int error = 0;  // Told once, by recv(), send() or SO_ERROR, as Linux does.
  int storm = 0;  // How many calls will still say EAGAIN.
  std::deque<SimSocketPtr> backlog;
  std::size_t max_backlog = 0;
  std::uint64_t inode = 0;
  std::map<std::pair<int, int>, std::string> options;

  int connect_error = 0;  // What connecting will come to.
  int connect_tries = 0;

  std::size_t unread() const { return inbox.size() - consumed; }

 private:
  /// A unix socket whose peer has closed: it knows at once.
  bool deserted() const;
};
using SimState = SimSocket::State;

}  // namespace weir::detail
