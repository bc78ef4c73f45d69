// SPDX-License-Identifier: MIT
#include <weir/net/server_state.hpp>

#include <exception>

#include <weir/reactor/error.hpp>
#include <weir/reactor/no_alloc.hpp>
#include <weir/reactor/report.hpp>
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
    if (hand_over_) return hand_over_(std::move(socket), std::move(peer));
    // Before the socket is handed on: which argument comes first is the compiler's choice, and with
    // it whether the socket is still open when a failure is reported.
    std::shared_ptr<BaseProtocol> protocol = factory_();
    SocketTransport::start(loop_, std::move(socket), std::move(protocol), std::move(peer), this,
                           nullptr);
    // Counted before anything else can happen: wait_closed() waits for it.
    ++clients_;
    self_ = keep;
  } catch (const KeyboardInterrupt&) {
    throw;
  } catch (...) {
    loop_.report(
        "Error on transport creation for incoming connection", std::current_exception(),
        [this](ExceptionContext context) { return std::move(context).with("server", repr()); });
  }
}

void ServerState::close() {
  if (closed_) return;
  const NoAllocScope closing;
  const std::shared_ptr<ServerState> keep = shared_from_this();
  closed_ = true;
  serving_ = false;
  for (const auto& listener : listeners_) listener->close();
  listeners_.clear();
  if (const auto forever = serving_forever_) forever->cancel();
  Owned::unlink();
  end_if_unused();
}

void ServerState::close_clients(bool abort) {
  if (clients_ == 0) return;  // The loop may be gone, too.
  const NoAllocScope closing;
  SocketTransport::end_all_of(loop_, *this, abort);
}

void ServerState::transport_lost() {
  --clients_;
  end_if_unused();
}

void ServerState::end_if_unused() {
  if (serving_ || clients_ != 0) return;
  const std::shared_ptr<ServerState> keep = std::move(self_);
  if (closed_) wake_all(end_waiters_);
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
    UntilWoken end(state->end_waiters(), "the end of a server");
    co_await end;
  }
}

namespace {

/// Closes the clients, gives them `grace`, and aborts the rest.
Coro<> end_clients(std::shared_ptr<ServerState> state, Duration grace) {
  state->close_clients(false);
  try {
    co_await wait_for(wait_until_finished(state), Delay(grace));
  } catch (...) {
    // The time is up; or cancelled once more, or no memory to wait: that ends it, too.
  }
  state->close_clients(true);
}

}  // namespace

Coro<> ServerState::serve_until_stopped(std::shared_ptr<ServerState> state, Duration grace) {
  if (state->serving_forever_) {
    throw RuntimeError("server " + state->repr() + " is already being awaited on serve_forever()");
  }
  // What the end needs is made before the beginning.
  Coro<> clients_end = end_clients(state, grace);
  Coro<> end = wait_until_finished(state);
  const Future<> forever = state->loop_.create_future<void>();
  const auto kept = std::make_shared<Future<>>(forever);
  auto stopped = outcome(forever);
  state->start_serving();
  state->serving_forever_ = kept;
  const Outcome<> ended = co_await std::move(stopped);
  state->serving_forever_ = nullptr;
  const bool closed_by_call = state->closed_;
  state->close();
  if (!closed_by_call) co_await std::move(clients_end);
  co_await std::move(end);
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
