// Internal: used by connect.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include <weir/net/resolver.hpp>
#include <weir/net/socket.hpp>
#include <weir/reactor/clock.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/handle.hpp>
#include <weir/reactor/task/future.hpp>

namespace weir::detail {

/// What to connect to, in this order, and from where.
struct ConnectPlan {
  std::vector<AddressInfo> addresses;
  std::optional<std::vector<AddressInfo>> local;  // Bound to one of them first.
  std::optional<Duration>
      delay;  // The next address after this time; nothing: after a failure only.
};

/// Connects to the first of several addresses that takes a connection. The next attempt starts when
/// the one before it has failed, or has taken too long; all that have started go on until one wins.
/// One timer and one future, whatever the number of attempts.
///
/// Shape     while (!race.decided()) co_await race.change();
/// Lifetime  In a coroutine's frame. Destroying it closes what is under way: that is cancelling it.
/// Source    RFC 8305, section 5; CPython staggered.py.
class ConnectRace {
 public:
  ConnectRace(EventLoop& loop, ConnectPlan plan);
  ConnectRace(const ConnectRace&) = delete;
  ConnectRace& operator=(const ConnectRace&) = delete;
  ~ConnectRace();

  /// Looks at what has ended, starts what is due. True when one has won or all have failed.
  bool decided();
  /// Done when decided() has something to look at.
  Future<> change();
  /// The socket that has won, or an invalid one. Closes all others.
  Socket take_winner();
  /// What went wrong, in the order in which the attempts were started.
  std::vector<std::exception_ptr> errors() const;

 private:
  struct Attempt;

  bool may_start() const;
  void start(const AddressInfo& info);
  bool bind_local(Attempt& attempt, int family);
  void watch(Attempt& attempt);
  static int outcome_of(Attempt& attempt);
  void settle(Attempt& attempt, int error);
  void fail(Attempt& attempt, std::exception_ptr error);
  void unwatch(Attempt& attempt);
  void wake();

  EventLoop& loop_;
  ConnectPlan plan_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  std::size_t failed_ = 0;
  std::size_t next_ = 0;  // In plan_.addresses.
  Attempt* winner_ = nullptr;
  std::optional<Future<>> waiter_;
  TimerHandle timer_;
  bool timer_armed_ = false;
  bool overdue_ = false;  // The last attempt has taken too long.
};

}  // namespace weir::detail
