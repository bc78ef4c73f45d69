// Internal: used by server.
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>

#include <weir/net/socket.hpp>
#include <weir/net/unix_path.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/held_timer.hpp>

namespace weir::detail {

/// One listening socket: accepts what waits, and backs off when the system has run out of
/// something.
///
/// Lifetime  Owned by its server. Unregistered before the socket is closed.
class Listener final : public std::enable_shared_from_this<Listener> {
 public:
  /// Called with every accepted socket and its peer's address.
  using Accepted = std::function<void(Socket, Endpoint)>;

  /// `file` goes when the listener is closed.
  Listener(EventLoop& loop, Socket socket, SocketFile file, int backlog, Accepted accepted);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { close(); }

  /// listen(2), and watches. Throws OSError.
  void start();
  /// At once: nothing is accepted after this, and no timer stays behind. start() begins again.
  void stop();
  /// stop(), for good.
  void close();
  const std::shared_ptr<Socket>& socket() const noexcept { return socket_; }

 private:
  struct ReadyNode : Runnable {
    ReadyNode(const RunnableKind& its_kind, Listener& its) noexcept
        : Runnable(its_kind), listener(its) {}
    Listener& listener;
  };
  struct RetryTimer final : HeldTimer {
    RetryTimer(EventLoop& loop, Listener& its) : HeldTimer(loop, retry_kind), listener(its) {}
    Listener& listener;
  };
  static const RunnableKind ready_kind;
  static const RunnableKind retry_kind;
  void accept_ready();
  bool accept_one();
  void let_go_of_watches();
  void handle_error(int error);
  void report(const char* message, const std::exception_ptr& error) noexcept;
  EventLoop& loop_;
  Ref<LoopToken> loop_token_;  // A server that never listened may outlive the loop.
  std::shared_ptr<Socket> socket_;
  SocketFile file_;
  Accepted accepted_;
  ReadyNode ready_node_;
  RetryTimer retry_;  // Held: the system that is out of something may be out of memory, too.
  int backlog_;
};

}  // namespace weir::detail
