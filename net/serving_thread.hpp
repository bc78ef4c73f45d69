// Internal: used by serve_on_threads.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <latch>
#include <memory>

#include <weir/net/address.hpp>
#include <weir/net/connect.hpp>
#include <weir/net/server_state.hpp>
#include <weir/net/socket.hpp>
#include <weir/reactor/clock.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/executor.hpp>
#include <weir/reactor/letter.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/reactor/task/future.hpp>

namespace weir::detail {

/// A thread with a loop that serves the connections it is handed. It has begun when it is made.
///
/// Errors    The constructor: OSError, a loop without a poller; RuntimeError "can't start new
///           thread". hand(): RuntimeError "Event loop is closed", std::bad_alloc; the socket is
///           closed then.
/// Threads   The one that made it, which must not be its own.
/// Lifetime  The destructor stops it and joins.
class ServingThread {
 public:
  /// `ended` is sent from the thread when its loop is closed, whyever.
  ServingThread(Kernel& kernel, ProtocolFactory factory, Duration grace, Letter ended);
  ServingThread(const ServingThread&) = delete;
  ServingThread& operator=(const ServingThread&) = delete;
  ~ServingThread();

  void hand(Socket socket, Endpoint peer);
  /// Connections that there are go on for the grace period. Does not wait. Idempotent.
  void stop() noexcept;
  /// After stop(): waits for its end. What ended its loop, or null.
  std::exception_ptr join() noexcept;

 private:
  void work() noexcept;

  EventLoop loop_;
  std::shared_ptr<ServerState> clients_;  // A server without listeners.
  Future<> stopped_;
  Coro<> main_;
  std::exception_ptr failure_;  // The thread's, until it is joined.
  std::latch begun_{1};
  Letter stop_;
  Letter ended_;
  std::unique_ptr<Executor> thread_;  // Last: it uses the others.
};

}  // namespace weir::detail
