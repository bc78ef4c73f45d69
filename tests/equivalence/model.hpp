// Internal: used by the equivalence test.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <tests/equivalence/script.hpp>

namespace equivalence {

/// What can be seen of a script: one line for each read and each poll.
using Trace = std::vector<std::string>;

constexpr std::size_t feed_bytes = 10;

/// One connection, as the contract of Poller and the manual pages of sockets describe it.
struct Channel {
  bool is_open = false;
  Family family = Family::unix_pair;
  std::size_t inbox = 0;    // bytes that we can read
  bool ended = false;       // the peer sends no more
  bool gone = false;        // the peer has closed
  bool error = false;       // a reset that recv() has not told yet
  bool shut = false;        // we send no more
  bool full = false;        // we cannot send more
  bool duplicated = false;  // there is a second descriptor

  bool readable() const { return inbox > 0 || ended || error; }
  bool writable() const { return !full || shut || gone; }
};

/// What the loop has been told of a slot. The rules are IoTable's: what is added is told to the
/// poller at once, what is taken away by the next poll, and a slot that is watched no more starts
/// anew.
struct Watch {
  weir::Interest wanted = weir::Interest::none;
  weir::Interest registered = weir::Interest::none;
  std::uint64_t generation = 0;
};

/// The state of a script that does not depend on the back end.
class Model {
 public:
  const Channel& channel(std::size_t slot) const { return channels_.at(slot); }
  const Watch& watch(std::size_t slot) const { return watches_.at(slot); }
  /// How many connections the slot has had, with this one.
  std::size_t incarnation(std::size_t slot) const { return incarnations_.at(slot); }

  /// Whether the step does anything here.
  bool applies(const Step& step) const;
  /// Performs a step that applies; a read returns what it says.
  std::string apply(const Step& step);

  /// Keeps a deferred step, and gives it out when its callback runs; poll if there is none.
  void defer(const Step& step);
  Step take_deferred(std::size_t slot, bool writer);

  /// The poller hears of what was taken away.
  void flush();

 private:
  void open(std::size_t slot, Family family);
  void close(std::size_t slot);
  void set_interest(std::size_t slot, weir::Interest interest);
  std::string read(Channel& channel);

  std::array<Channel, slot_count> channels_;
  std::array<Watch, slot_count> watches_;
  std::array<std::size_t, slot_count> incarnations_{};
  std::deque<Step> deferred_;
};

/// What every back end has to show.
Trace expected(const Script& script);

/// "A1 r": what the reader of A's first connection writes down.
std::string callback_name(std::size_t slot, std::size_t incarnation, bool writer);

/// The line of a poll.
std::string poll_line(const std::vector<std::string>& callbacks, std::uint64_t stale);

/// The steps that end every script: everything is looked at and read once more, and closed.
Script epilogue();

}  // namespace equivalence
