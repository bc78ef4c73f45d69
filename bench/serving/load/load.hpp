// Internal: used by the load generator.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <bench/serving/load/client.hpp>
#include <bench/serving/load/usage.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace weir::bench {

struct LoadOptions {
  int port = 0;
  std::size_t connections = 64;
  std::size_t request_bytes = 64;
  std::size_t depth = 1;  // Requests of a batch: sent together, before the first answer.
  double warm_up_seconds = 0.2;
  double seconds = 1;         // Measured after the warm-up,
  std::uint64_t batches = 0;  // or, unless 0, so many batches of every connection, all of them.
  pid_t server = 0;           // Whose processor time is looked at.
};

struct LoadResult {
  Tally tally;
  double seconds = 0;
  Usage used;
};

/// Connects to 127.0.0.1, asks, compares every answer. One thread, edge-triggered epoll.
///
/// Errors    std::runtime_error  a server that is not there, or that answers wrongly; no answer at
///           all for ten seconds.
LoadResult run_load(const LoadOptions& options);

}  // namespace weir::bench
