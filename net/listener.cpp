// SPDX-License-Identifier: MIT
#include <weir/net/listener.hpp>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include <weir/reactor/error.hpp>
#include <weir/reactor/report.hpp>
#include <weir/reactor/run_note.hpp>

namespace weir::detail {
namespace {

constexpr Duration accept_retry_delay =
    std::chrono::seconds(1);  // asyncio constants.py ACCEPT_RETRY_DELAY

/// Nothing was accepted, because a resource is gone; it may come back.
bool out_of_resources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// The connection that was next is dead; the one behind it may be fine. Linux passes network errors
/// of the new connection on through accept(), and accept(2) says to treat them like EAGAIN.
bool only_this_connection(int error) {
  switch (error) {
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPERM: return true;
    default: return false;
  }
}

}  // namespace

const RunnableKind Listener::ready_kind = {
    [](Runnable& node) { static_cast<ReadyNode&>(node).listener.accept_ready(); },
    [](const Runnable& node) {
      return "<listener " + static_cast<const ReadyNode&>(node).listener.socket_->repr() + ">";
    },
    nullptr,
    [](Runnable& node, RunNote& note) {
      note.fd = static_cast<ReadyNode&>(node).listener.socket_->fd();
    },
};

const RunnableKind Listener::retry_kind = {
    [](Runnable& node) {
      Listener& its = static_cast<RetryTimer&>(static_cast<Timer&>(node)).listener;
      its.loop_.io().set_reader(its.socket_->fd(), &its.ready_node_);
    },
    [](const Runnable& node) {
      const auto& timer = static_cast<const RetryTimer&>(static_cast<const Timer&>(node));
      return "<retry of listener " + timer.listener.socket_->repr() + ">";
    },
};

Listener::Listener(EventLoop& loop, Socket socket, SocketFile file, int backlog, Accepted accepted)
    : loop_(loop),
      loop_token_(loop.token()),
      socket_(std::make_shared<Socket>(std::move(socket))),
      file_(std::move(file)),
      accepted_(std::move(accepted)),
      ready_node_(ready_kind, *this),
      retry_(loop, *this),
      backlog_(backlog) {}

void Listener::start() {
  if (const int error = socket_->listen(backlog_); error != 0) throw_os_error(error);
  let_go_of_watches();
  if (const int error = loop_.io().open(socket_->fd(), &ready_node_, nullptr); error != 0)
    throw_os_error(error);
  loop_.io().set_owner(socket_->fd(), &ready_node_);
}

void Listener::stop() {
  retry_.disarm();
  if (!socket_->valid() || loop_token_->loop == nullptr) return;
  if (!loop_.io().owned(socket_->fd())) let_go_of_watches();
  loop_.io().forget(socket_->fd());
}

/// A user may have watched the socket while it did not listen.
void Listener::let_go_of_watches() {
  loop_.remove_reader(socket_->fd());
  loop_.remove_writer(socket_->fd());
}

void Listener::close() {
  stop();
  file_.remove(loop_token_->loop);
  socket_->close();
}

void Listener::accept_ready() {
  const std::shared_ptr<Listener> keep =
      shared_from_this();  // A callback may close the server, and us with it.
  // Up to a backlog at a time: a flood of connections must not starve those that are there.
  for (int left = std::max(backlog_, 1); left > 0 && socket_->valid(); --left) {
    if (!accept_one()) return;
  }
}

/// False when there is nothing more to accept now.
bool Listener::accept_one() {
  Endpoint peer;
  int error = 0;
  try {
    Socket accepted = socket_->accept(peer, error);
    if (accepted.valid()) {
      accepted_(std::move(accepted), std::move(peer));
      return true;
    }
  } catch (const std::bad_alloc&) {  // This connection is closed; the next one may fare better.
    report("socket.accept() failed", std::current_exception());
    return true;
  }
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return false;
  if (only_this_connection(error)) return true;
  handle_error(error);
  return false;
}

void Listener::handle_error(int error) {
  const bool resources = out_of_resources(error);
  report(resources ? "socket.accept() out of system resource" : "socket.accept() failed",
         make_os_error(error));
  if (!socket_->valid()) return;  // The handler closed the server.
  // Level-triggered: staying registered would spin. One timer, which close() cancels.
  loop_.io().set_reader(socket_->fd(), nullptr);
  retry_.arm(deadline_after(loop_.time(), accept_retry_delay));
}

void Listener::report(const char* message, const std::exception_ptr& error) noexcept {
  loop_.report(message, error, [this](ExceptionContext context) {
    return std::move(context).with("socket", socket_->repr());
  });
}

}  // namespace weir::detail
