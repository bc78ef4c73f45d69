// SPDX-License-Identifier: MIT
#include <weir/net/server_state.hpp>

#include <exception>

#include <weir/reactor/error.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/timeouts.hpp>

namespace weir::detail {

const Owned::Kind ServerState::owned_kind = {
    [](Owned& owned) { static_cast<ServerState&>(owned).close(); },
    [](Owned& owned) { static_cast<ServerState&>(owned).close(); },
};

void ServerState::start_serving() {
  if (closed_) throw RuntimeError("server " + repr() + " is closed");
  if (serving_) return;
  try {
    for (const auto& listener : listeners_) listener->start();
  } catch (...) {  // All of them or none: else some would accept for a server that does not serve.
    for (const auto& listener : listeners_) listener->stop();
    throw;
  }
  serving_ = true;
  self_ = shared_from_this();
  loop_.own(*this);
}

void ServerState::accept(Socket socket, Endpoint peer) {
  const std::shared_ptr<ServerState> keep =
      shared_from_this();  // The factory may close the server.
  try {
    // Before the socket is handed on: which argument comes first is the compiler's choice, and with
    // it whether the socket is still open when a failure is reported.
    std::shared_ptr<BaseProtocol> protocol = factory_();
    const std::shared_ptr<SocketTransport> transport = SocketTransport::start(
        loop_, std::move(socket), std::move(protocol), std::move(peer), keep, nullptr);
    // Attached before anything else can happen: close() finds it, wait_closed() counts it.
    clients_.push_back(*transport);
  } catch (const KeyboardInterrupt&) {
    throw;
  } catch (...) {
    loop_.call_exception_handler(
        ExceptionContext("Error on transport creation for incoming connection",
                         std::current_exception())
            .with("server", repr()));
  }
}

void ServerState::close() {
  if (closed_) return;
  const std::shared_ptr<ServerState> keep = shared_from_this();
  closed_ = true;
  serving_ = false;
  for (const auto& listener : listeners_) listener->close();
  listeners_.clear();
  if (const auto forever = serving_forever_) forever->cancel();
  Owned::unlink();
  self_ = nullptr;
  if (finished()) wake_end_waiters();
}

void ServerState::close_clients(bool abort) {
  // A snapshot: ending one may start or end others.
  std::vector<std::shared_ptr<SocketTransport>> snapshot;
  clients_.for_each([&](const ServerLink& link) {
    auto& transport = const_cast<SocketTransport&>(static_cast<const SocketTransport&>(link));
    snapshot.push_back(transport.shared_from_this());
  });
  for (const auto& transport : snapshot) abort ? transport->abort() : transport->close();
}

void ServerState::transport_lost() {
  if (finished()) wake_end_waiters();
}

void ServerState::wake_end_waiters() {
  for (const Future<>& waiter : std::exchange(end_waiters_, {})) {
    if (!waiter.done()) waiter.set_result();
  }
}

std::string ServerState::repr() const {
  std::string text = "<Server sockets=";
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    text += (i == 0 ? "" : ", ") + listeners_[i]->socket()->local_endpoint().repr();
  }
  return text + (listeners_.empty() ? "()>" : ">");
}

Coro<> wait_until_finished(std::shared_ptr<ServerState> state) {
  while (!state->finished()) {
    const Future<> end = state->end_waiter();
    co_await end;
  }
}

namespace {

/// Closes the clients, gives them `grace`, and aborts the rest.
Coro<> end_clients(std::shared_ptr<ServerState> state, Duration grace) {
  state->close_clients(false);
  // Cancelled once more, the grace is over, too.
  static_cast<void>(co_await outcome(wait_for(wait_until_finished(state), Delay(grace))));
  state->close_clients(true);
  co_await wait_until_finished(state);
}

}  // namespace

Coro<> ServerState::serve_until_stopped(std::shared_ptr<ServerState> state, Duration grace) {
  if (state->serving_forever_) {
    throw RuntimeError("server " + state->repr() + " is already being awaited on serve_forever()");
  }
  state->start_serving();
  const Future<> forever = state->loop_.create_future<void>();
  state->serving_forever_ = std::make_shared<Future<>>(forever);
  const Outcome<> ended = co_await outcome(forever);
  state->serving_forever_ = nullptr;
  const bool closed_by_call = state->closed_;
  state->close();
  if (!closed_by_call) co_await end_clients(state, grace);
  co_await wait_until_finished(state);
  ended.value();
}

Coro<> start_and_yield(std::shared_ptr<ServerState> state) {
  state->start_serving();
  co_await sleep(Duration::zero());  // As in asyncio: whoever goes on finds the server listening.
}

Coro<Server> finish_server(std::shared_ptr<ServerState> state, bool start) {
  const Server server(state);
  if (!start) co_return server;
  try {
    co_await start_and_yield(state);
  } catch (...) {  // Cancelled, say: nobody has a handle that could close it.
    state->close();
    throw;
  }
  co_return server;
}

void check_backlog(int backlog) {
  if (backlog < 0) throw ValueError("backlog must be >= 0, not " + std::to_string(backlog));
}

}  // namespace weir::detail
