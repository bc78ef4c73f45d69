// Internal: used by the tests of net.
// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <weir/net/server.hpp>
#include <weir/reactor/task/run_until_complete.hpp>

#include <tests/net/net_loop.hpp>

namespace weir::test {

/// A NetLoop with a server's protocols: one Recorder a connection.
class Serving : public NetLoop {
 public:
  ~Serving() {
    on_connect = nullptr;
    for (const auto& protocol : protocols) protocol->calm_down();
  }

  auto factory() {
    return [this] {
      const auto protocol = std::make_shared<Recorder>();
      protocols.push_back(protocol);
      if (on_connect) on_connect(*protocol);
      return protocol;
    };
  }
  Server serve(const ServerOptions& options = {}, std::string_view host = "127.0.0.1") {
    return loop.run_until_complete(create_server(factory(), host, port, options));
  }
  /// A client whose connection has been accepted.
  int client() {
    const int fd = dial(port);
    run();
    return fd;
  }
  /// Whether anybody listens.
  bool reachable() {
    const int fd = kernel.dial(port);
    if (fd < 0) return false;
    REQUIRE(kernel.close(fd) == 0);
    run();
    return true;
  }

  static constexpr std::uint16_t port = 80;
  std::vector<std::shared_ptr<Recorder>> protocols;  // In the order of the connections.
  std::function<void(Recorder&)> on_connect;         // Inside the factory.
};

}  // namespace weir::test
