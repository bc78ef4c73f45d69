// Internal: used by server and unix_server.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weir/net/connect.hpp>
#include <weir/net/listener.hpp>
#include <weir/net/server.hpp>
#include <weir/net/socket_transport.hpp>
#include <weir/net/unix_path.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/wait_list.hpp>

namespace weir::detail {

/// What the handles of a server share. The loop keeps it while it listens, its connections keep it
/// after that.
class ServerState final : public TransportOwner,
                          public Owned,
                          public std::enable_shared_from_this<ServerState> {
 public:
  ServerState(EventLoop& its_loop, ProtocolFactory factory, int backlog)
      : Owned(owned_kind), loop_(its_loop), factory_(std::move(factory)), backlog_(backlog) {}

  void add(Socket socket, SocketFile file = {}) {
    listeners_.push_back(std::make_shared<Listener>(
        loop_, std::move(socket), std::move(file), backlog_,
        [this](Socket accepted, Endpoint peer) { accept(std::move(accepted), std::move(peer)); }));
  }
  /// Accepted connections go there instead of to a protocol of this loop. Before start_serving().
  void hand_over_to(Listener::Accepted other) { hand_over_ = std::move(other); }
  /// A connection that was accepted elsewhere. Closed if the server is.
  void adopt(Socket socket, Endpoint peer) {
    socket.set_kernel(loop_.kernel());
    if (!closed_) accept(std::move(socket), std::move(peer));
  }
  void start_serving();
  void close();
  void close_clients(bool abort);
  void transport_lost() override;

  EventLoop& loop() const noexcept { return loop_; }
  bool serving() const noexcept { return serving_; }
  bool closed() const noexcept { return closed_; }
  bool finished() const noexcept { return closed_ && clients_ == 0; }
  const std::vector<std::shared_ptr<Listener>>& listeners() const noexcept { return listeners_; }
  std::string repr() const;

  /// Woken when finished() has become true.
  WaitList& end_waiters() noexcept { return end_waiters_; }
  static Coro<> serve_until_stopped(std::shared_ptr<ServerState> state, Duration grace);

 private:
  static const Owned::Kind owned_kind;

  void accept(Socket socket, Endpoint peer);
  void end_if_unused();
  EventLoop& loop_;
  ProtocolFactory factory_;
  Listener::Accepted hand_over_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  std::size_t clients_ = 0;  // Connections that are not lost.
  WaitList end_waiters_;
  std::shared_ptr<Future<>> serving_forever_;
  std::shared_ptr<ServerState> self_;  // The loop's hold while it listens, and its connections'.
  int backlog_;
  bool serving_ = false;
  bool closed_ = false;
};

/// Returns when the server is closed and its last connection is gone.
Coro<> wait_until_finished(std::shared_ptr<ServerState> state);
/// Listens, and gives up one pass.
Coro<> start_and_yield(std::shared_ptr<ServerState> state);
/// The handle of a server that has its sockets; with `start` it listens. Closed if that fails.
Coro<Server> finish_server(std::shared_ptr<ServerState> state, bool start);
/// Errors    ValueError "backlog must be >= 0, not -1".
void check_backlog(int backlog);

}  // namespace weir::detail
