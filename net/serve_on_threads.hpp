// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/net/connect.hpp>
#include <weir/net/hosts.hpp>
#include <weir/net/server.hpp>
#include <weir/net/unix_server.hpp>
#include <weir/reactor/clock.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/kernel.hpp>
#include <weir/reactor/task/coro.hpp>

namespace WEIR_API weir {

/// How serve_on_threads() tells that it serves, and how it stops. Not for a co_await expression,
/// unlike other options: nobody awaits it.
struct ThreadsOptions {
  /// Called on the calling thread once clients can connect: its sockets() say which port it is. Not
  /// to be kept.
  std::function<void(const Server&)> listening = {};
  /// request_stop() on it, from any thread, ends the call. Must outlive it.
  const std::stop_source* stop = nullptr;
  /// How long connections go on after that, before they are aborted.
  Duration grace = std::chrono::seconds(1);
  /// Null: Kernel::posix(). One that all the threads may use at once.
  Kernel* kernel = nullptr;
};

namespace detail {

/// What serves on the threads, and where.
struct ThreadsPlan {
  std::size_t threads;
  std::function<ProtocolFactory()> new_factory;             // Called once for each loop.
  std::function<Coro<Server>(ProtocolFactory)> new_server;  // Bound, not listening.
  ThreadsOptions options;
};
int serve_on_threads(ThreadsPlan plan);

template <class Factory>
std::function<ProtocolFactory()> factory_of_each_loop(Factory factory) {
  return [factory = std::move(factory)] { return ProtocolFactory(factory); };
}
/// `options`, but only to bind.
template <class Options>
Options not_yet_serving(Options options) {
  options.start_serving = false;
  return options;
}

}  // namespace detail

/// Serves on `threads` loops, each on a thread of its own, until it is told to stop. The calling
/// thread accepts, and hands the connections to the loops in turn: of 1 000 connections, each of
/// four loops gets 250. A connection stays with its loop.
///
/// Shape     int main() {
///             return weir::serve_on_threads(4, [] { return std::make_shared<Echo>(); }, "", 8888);
///           }
///           Streams: a handler instead of the factory (streams/serve_on_threads.hpp).
/// Stopping  SIGTERM, SIGINT, options.stop, or an exception that ends one of the loops. Nothing is
///           accepted any more; connections go on until they have ended, at most options.grace;
///           those that are left are aborted, tasks that are left are cancelled, every thread is
///           joined. Signals that the program handles or ignores itself are left alone; a second
///           one of those that are not kills. What waits in the kernel to be accepted is reset.
/// Returns   0; after SIGINT 130, as run() does.
/// Errors    ValueError "at least 1 thread is needed, not 0"; "a Trace is of one loop: set
///           WEIR_TRACE", if options.kernel is a Trace's. What create_server() throws: no thread
///           has begun then. RuntimeError "can't start new thread", "asyncio.run() cannot be called
///           from a running event loop"; OSError, a loop without a poller: the threads so far are
///           stopped and joined. What ended one of the loops, KeyboardInterrupt or OSError, after
///           all are joined. What `listening` throws. A connection that cannot be handed over is
///           closed and reported to the exception handler of the calling thread's loop.
/// Threads   Any thread without a running loop. The factory is copied for each loop, and a copy is
///           called by its loop's thread alone: what it holds belongs to the loop, what it points
///           to is shared by all.
/// Lifetime  Returns when all is over; until then arguments are not copied.
/// Cost      For a connection one message to its thread; for a request nothing, compared with one
///           loop. docs/adr/0014-one-thread-accepts.md has the measurements.
template <class Factory>
  requires std::is_invocable_v<Factory&>
int serve_on_threads(std::size_t threads, Factory factory, const Hosts& hosts, Port port,
                     const ServerOptions& options = {}, const ThreadsOptions& how = {}) {
  const auto bind = [&](detail::ProtocolFactory its) {
    return detail::create_server(std::move(its), hosts, port, detail::not_yet_serving(options));
  };
  return detail::serve_on_threads(
      {threads, detail::factory_of_each_loop(std::move(factory)), bind, how});
}
/// The same over `options.sock`.
template <class Factory>
  requires std::is_invocable_v<Factory&>
int serve_on_threads(std::size_t threads, Factory factory, const ServerOptions& options,
                     const ThreadsOptions& how = {}) {
  const auto bind = [&](detail::ProtocolFactory its) {
    return detail::create_server(std::move(its), detail::not_yet_serving(options));
  };
  return detail::serve_on_threads(
      {threads, detail::factory_of_each_loop(std::move(factory)), bind, how});
}

/// serve_on_threads() over a unix socket at `path`: see create_unix_server().
template <class Factory>
  requires std::is_invocable_v<Factory&>
int serve_unix_on_threads(std::size_t threads, Factory factory, std::string_view path,
                          const UnixServerOptions& options = {}, const ThreadsOptions& how = {}) {
  const auto bind = [&](detail::ProtocolFactory its) {
    return detail::create_unix_server(std::move(its), path, detail::not_yet_serving(options));
  };
  return detail::serve_on_threads(
      {threads, detail::factory_of_each_loop(std::move(factory)), bind, how});
}

}  // namespace weir
