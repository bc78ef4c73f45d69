// SPDX-License-Identifier: MIT
#include <weir/net/server.hpp>

#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>

#include <weir/net/listener.hpp>
#include <weir/net/socket_transport.hpp>
#include <weir/reactor/error.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/task/future.hpp>
#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/timeouts.hpp>

namespace weir {
namespace detail {

/// What the handles of a server share. The loop keeps it while it listens, its connections keep it
/// after that.
class ServerState final : public TransportOwner,
                          public Owned,
                          public std::enable_shared_from_this<ServerState> {
 public:
  ServerState(EventLoop& its_loop, ProtocolFactory factory, int backlog)
      : Owned(owned_kind), loop_(its_loop), factory_(std::move(factory)), backlog_(backlog) {}

  void add(Socket socket) {
    listeners_.push_back(std::make_shared<Listener>(
        loop_, std::move(socket), backlog_,
        [this](Socket accepted, Endpoint peer) { accept(std::move(accepted), std::move(peer)); }));
  }
  void start_serving();
  void close();
  void close_clients(bool abort);
  void transport_lost() override;

  EventLoop& loop() const noexcept { return loop_; }
  bool serving() const noexcept { return serving_; }
  bool closed() const noexcept { return closed_; }
  bool finished() const noexcept { return closed_ && clients_.empty(); }
  const std::vector<std::shared_ptr<Listener>>& listeners() const noexcept { return listeners_; }
  std::string repr() const;

  /// A future for everybody who waits for the end: cancelling one wait leaves the others alone.
  Future<> end_waiter() {
    // Those that were cancelled: a server may be waited for with a time-out, again and again.
    std::erase_if(end_waiters_, [](const Future<>& waiter) { return waiter.done(); });
    end_waiters_.push_back(loop_.create_future<void>());
    return end_waiters_.back();
  }

  static Coro<> serve_until_stopped(std::shared_ptr<ServerState> state, Duration grace);

 private:
  static const Owned::Kind owned_kind;

  void accept(Socket socket, Endpoint peer);
  void wake_end_waiters();

  EventLoop& loop_;
  ProtocolFactory factory_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  IntrusiveList<ServerLink> clients_;
  std::vector<Future<>> end_waiters_;
  std::shared_ptr<Future<>> serving_forever_;
  std::shared_ptr<ServerState> self_;  // The loop's hold, while it listens.
  int backlog_;
  bool serving_ = false;
  bool closed_ = false;
};

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
    const std::shared_ptr<SocketTransport> transport = SocketTransport::start(
        loop_, std::move(socket), factory_(), std::move(peer), keep, nullptr);
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

namespace {

Coro<> wait_until_finished(std::shared_ptr<ServerState> state) {
  while (!state->finished()) {
    const Future<> end = state->end_waiter();
    co_await end;
  }
}

/// Closes the clients, gives them `grace`, and aborts the rest.
Coro<> end_clients(std::shared_ptr<ServerState> state, Duration grace) {
  state->close_clients(false);
  const Outcome<> in_time = co_await outcome(wait_for(wait_until_finished(state), Delay(grace)));
  state->close_clients(true);
  co_await wait_until_finished(state);
  if (in_time.exception() && !in_time.failed_with<TimeoutError>()) in_time.value();
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

namespace {

std::string lowercase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return text;
}

void check_backlog(int backlog) {
  if (backlog < 0) throw ValueError("backlog must be >= 0, not " + std::to_string(backlog));
}

/// Bound, or an invalid socket where this machine has no such address.
Socket bind_to(EventLoop& loop, const AddressInfo& info, const ServerOptions& options) {
  int error = 0;
  Socket socket = Socket::open(loop.kernel(), info.family, info.type, info.protocol, error);
  if (error == EAFNOSUPPORT || error == EPROTONOSUPPORT) {  // A machine without IPv6.
    if (loop.get_debug())
      loop.log(LogLevel::warning,
               "create_server() failed to create a socket for " + info.endpoint.repr());
    return socket;
  }
  if (error != 0) throw_os_error(error);
  if (options.reuse_address) static_cast<void>(socket.set_option(SOL_SOCKET, SO_REUSEADDR, 1));
  // Else the IPv6 wildcard takes the IPv4 one too, and binding that fails.
  if (info.family == AF_INET6) static_cast<void>(socket.set_option(IPPROTO_IPV6, IPV6_V6ONLY, 1));
  error = socket.bind(info.endpoint);
  if (error == 0) return socket;
  const std::string text = "error while attempting to bind on address " + info.endpoint.repr() +
                           ": " + lowercase(std::strerror(error));
  if (error != EADDRNOTAVAIL) throw_os_error(error, text);
  if (loop.get_debug()) loop.log(LogLevel::warning, text);
  return Socket();
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

/// Without doubles: some systems list an address twice, and the second bind() would fail.
std::vector<AddressInfo> distinct(const std::vector<AddressInfo>& addresses) {
  std::vector<AddressInfo> found;
  for (const AddressInfo& info : addresses) {
    const bool known = std::any_of(found.begin(), found.end(), [&](const AddressInfo& other) {
      return other.endpoint == info.endpoint;
    });
    if (!known) found.push_back(info);
  }
  return found;
}

/// `host` is for the error text: as Python prints it, None for all interfaces.
Coro<Server> bind_all(ProtocolFactory factory, std::string host,
                      Coro<std::vector<AddressInfo>> resolving, ServerOptions options) {
  EventLoop& loop = get_running_loop();
  const auto state = std::make_shared<ServerState>(loop, std::move(factory), options.backlog);
  const std::vector<AddressInfo> addresses = co_await std::move(resolving);
  if (addresses.empty()) throw OSError("getaddrinfo(" + host + ") returned empty list");
  std::string tried;
  for (const AddressInfo& info : distinct(addresses)) {
    Socket socket = bind_to(loop, info, options);
    if (socket.valid()) state->add(std::move(socket));
    tried += (tried.empty() ? "" : ", ") + info.endpoint.repr();
  }
  if (state->listeners().empty())
    throw OSError("could not bind on any address out of [" + tried + "]");
  co_return co_await finish_server(state, options.start_serving);
}

}  // namespace

Coro<Server> create_server(ProtocolFactory factory, std::string_view host, Port port,
                           const ServerOptions& options) {
  if (options.sock != nullptr)
    throw ValueError("host/port and sock can not be specified at the same time");
  check_backlog(options.backlog);
  const ResolveOptions wanted{.family = options.family, .flags = options.flags};
  const std::string name = host.empty() ? "None" : "'" + std::string(host) + "'";
  return bind_all(std::move(factory), name, getaddrinfo(host, port, wanted), options);
}

Coro<Server> create_server(ProtocolFactory factory, const ServerOptions& options) {
  if (options.sock == nullptr) throw ValueError("Neither host/port nor sock were specified");
  check_backlog(options.backlog);
  const auto state =
      std::make_shared<ServerState>(get_running_loop(), std::move(factory), options.backlog);
  state->add(take_given_socket(*options.sock));
  return finish_server(state, options.start_serving);
}

}  // namespace detail

std::vector<TransportSocket> Server::sockets() const {
  std::vector<TransportSocket> sockets;
  for (const auto& listener : state_->listeners()) sockets.emplace_back(listener->socket());
  return sockets;
}

bool Server::is_serving() const noexcept { return state_->serving(); }

Coro<> Server::start_serving() const { return detail::start_and_yield(state_); }

Coro<> Server::serve_forever(const ServeOptions& options) const {
  return detail::ServerState::serve_until_stopped(state_, options.grace);
}

void Server::close() const { state_->close(); }
Coro<> Server::wait_closed() const { return detail::wait_until_finished(state_); }
void Server::close_clients() const { state_->close_clients(false); }
void Server::abort_clients() const { state_->close_clients(true); }
std::string Server::repr() const { return state_->repr(); }

}  // namespace weir
