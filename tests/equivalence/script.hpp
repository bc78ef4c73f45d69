// Internal: used by the equivalence test.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <weir/reactor/poller/poller.hpp>

namespace equivalence {

/// A script has four places for a connection: A, B, C and D. The loop under test watches our end of
/// each; the script holds the other end, the peer's.
constexpr std::size_t slot_count = 4;

enum class Action : std::uint8_t {
  open,     // a connection comes into the slot
  watch,    // the loop is asked for exactly this interest
  feed,     // the peer sends bytes
  read,     // we read what there is
  fill,     // we send until no more fits
  drain,    // the peer reads all of it
  eof,      // the peer says that it sends no more
  shut,     // we say so
  hang_up,  // the peer closes
  reset,    // the peer closes in such a way that we hear of it as an error
  close,    // we stop watching and close
  replace,  // close, then open and watch as before: the number is used again
  dup,      // a second descriptor of our end, which outlives a close
  drop,     // it is closed
  poll,     // one pass of the loop
};
constexpr std::size_t action_count = 15;

enum class Family : std::uint8_t { unix_pair, tcp };

struct Step {
  Action action = Action::poll;
  std::size_t slot = 0;
  Family family = Family::unix_pair;               // open, replace
  weir::Interest interest = weir::Interest::none;  // watch
  // Not now, but when the loop calls the reader (or the writer) of slot `when` the next time: in
  // the middle of a batch.
  bool deferred = false;
  std::size_t when = 0;
  bool when_writer = false;
};

using Script = std::vector<Step>;

/// One line: "when A reads: watch B rw".
std::string to_string(const Step& step);
std::string name_of(std::size_t slot);

bool uses(const Script& script, Action action);

/// Random numbers that are the same everywhere: SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept;
  std::size_t below(std::size_t end) noexcept { return static_cast<std::size_t>(next() % end); }
  bool one_in(std::size_t count) noexcept { return below(count) == 0; }

 private:
  std::uint64_t state_;
};

/// Script number `index` of `seed`.
Script make_script(std::uint64_t seed, std::uint64_t index);

}  // namespace equivalence
