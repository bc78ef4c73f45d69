// Internal: used by the weir servers of the serving benchmark.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>

#include <weir/streams/streams.hpp>

namespace weir::bench {

inline constexpr ServerOptions server_options{.backlog = 1024};
inline constexpr StartServerOptions streams_options{.limit = 1024 * 1024, .backlog = 1024};

inline void tell_port(const Server& server) {
  const Endpoint address = server.sockets().front().getsockname();
  std::printf("listening on %s:%d\n", address.host().c_str(), address.port());
  std::fflush(stdout);
}

}  // namespace weir::bench
