// SPDX-License-Identifier: MIT
//
// Echo at protocol level: what arrives is written back in the callback.
#include <bench/serving/servers/echo_protocol.hpp>
#include <bench/serving/servers/weir_server.hpp>
#include <memory>

namespace {

weir::Coro<> serve() {
  const auto make_echo = [] { return std::make_shared<weir::bench::Echo>(); };
  const weir::Server server =
      co_await weir::create_server(make_echo, "127.0.0.1", 0, weir::bench::server_options);
  weir::bench::tell_port(server);
  co_await server.serve_forever();
}

}  // namespace

int main() { return weir::run(serve()); }
