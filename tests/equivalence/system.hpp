// Internal: used by the equivalence test.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include <weir/reactor/kernel.hpp>

#include <tests/equivalence/model.hpp>

namespace equivalence {

struct Ends {
  int ours;
  int theirs;
};

/// A kernel, real or not, with what a script needs of it and Kernel does not have.
class System {
 public:
  System() = default;
  System(const System&) = delete;
  System& operator=(const System&) = delete;
  virtual ~System() = default;

  virtual weir::Kernel& kernel() = 0;
  virtual std::unique_ptr<weir::Poller> make_poller() = 0;
  virtual Ends connect_tcp() = 0;
  virtual int dup(int fd) = 0;
  /// Waits until the kernel says of our end what the channel says: over TCP even on one machine
  /// things may take a moment.
  virtual void settle(int fd, const Channel& channel) = 0;
  /// What the program did wrong, by the system's account; empty if nothing.
  virtual std::string complaints() { return {}; }
};

/// One of those that are to be equal.
struct BackEnd {
  const char* name;
  bool has_dup;  // Scripts with dup are not performed where there is none.
  std::function<std::unique_ptr<System>()> make;
};

/// All of them. A new one is one line here, and a System.
std::span<const BackEnd> back_ends();

/// The trace of a script on a back end.
Trace perform(const Script& script, const BackEnd& back_end);

}  // namespace equivalence
