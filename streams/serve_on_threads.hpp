// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/net/serve_on_threads.hpp>
#include <weir/reactor/export.hpp>
#include <weir/streams/start_server.hpp>
#include <weir/streams/start_unix_server.hpp>
#include <weir/streams/stream_reader_protocol.hpp>

namespace WEIR_API weir {

namespace detail {

/// A client callback, as StreamReaderProtocol takes one.
template <class Handler>
concept StreamHandler = std::is_invocable_v<Handler&, StreamReader, StreamWriter>;

/// A handler of its own for each loop.
template <class Handler>
auto handler_of_each_loop(Handler handler, std::ptrdiff_t limit) {
  check_limit(limit);
  return [handler = std::move(handler), limit] { return protocol_for(handler, limit); };
}

}  // namespace detail

/// Serves streams on `threads` loops, each on a thread of its own, until it is told to stop:
/// serve_on_threads() of net/serve_on_threads.hpp, where the contract is, with a handler as
/// start_server() takes one.
///
/// Shape     int main() { return weir::serve_on_threads(4, greet, "", 8888); }
///           All options: serve_on_threads(4, greet, "", 8888, {.limit = 1024}, {.grace = 10s});
/// Errors    ValueError "Limit cannot be <= 0". Else as there.
/// Threads   The handler is copied for each loop: see there.
/// Lifetime  As there. A handler whose connection has ended, and that has not, is cancelled when
///           the loops end.
template <detail::StreamHandler Handler>
int serve_on_threads(std::size_t threads, Handler handler, const Hosts& hosts, Port port,
                     const StartServerOptions& options = {}, const ThreadsOptions& how = {}) {
  const auto bind = [&](detail::ProtocolFactory its) {
    return detail::create_server(std::move(its), hosts, port,
                                 detail::not_yet_serving(detail::server_options(options)));
  };
  return detail::serve_on_threads(
      {threads, detail::handler_of_each_loop(std::move(handler), options.limit), bind, how});
}
/// The same over `options.sock`.
template <detail::StreamHandler Handler>
int serve_on_threads(std::size_t threads, Handler handler, const StartServerOptions& options,
                     const ThreadsOptions& how = {}) {
  const auto bind = [&](detail::ProtocolFactory its) {
    return detail::create_server(std::move(its),
                                 detail::not_yet_serving(detail::server_options(options)));
  };
  return detail::serve_on_threads(
      {threads, detail::handler_of_each_loop(std::move(handler), options.limit), bind, how});
}

/// serve_on_threads() over a unix socket at `path`: see start_unix_server().
template <detail::StreamHandler Handler>
int serve_unix_on_threads(std::size_t threads, Handler handler, std::string_view path,
                          const StartUnixServerOptions& options = {},
                          const ThreadsOptions& how = {}) {
  const auto bind = [&](detail::ProtocolFactory its) {
    return detail::create_unix_server(std::move(its), path,
                                      detail::not_yet_serving(detail::server_options(options)));
  };
  return detail::serve_on_threads(
      {threads, detail::handler_of_each_loop(std::move(handler), options.limit), bind, how});
}

}  // namespace weir
