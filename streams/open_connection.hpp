// Public.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/net/connect.hpp>
#include <weir/reactor/export.hpp>
#include <weir/reactor/task/coro.hpp>
#include <weir/streams/stream_reader.hpp>
#include <weir/streams/stream_writer.hpp>

namespace WEIR_API weir {

class StreamReaderProtocol;

/// Both ends of a stream. Give it a name; structured bindings on a co_await leak with newer g++.
struct Streams {
  Streams(StreamReader its_reader, StreamWriter its_writer)
      : reader(std::move(its_reader)), writer(std::move(its_writer)) {}
  StreamReader reader;
  StreamWriter writer;
};

namespace detail {
/// A factory of protocols with a reader. To be called in a task: before that there may be no
/// running loop.
std::function<std::shared_ptr<StreamReaderProtocol>()> protocol_with(std::ptrdiff_t limit);
Coro<Streams> streams_over(Coro<Connection<StreamReaderProtocol>> connecting);
}  // namespace detail

/// ConnectOptions, and the reader's limit.
struct OpenOptions {
  std::ptrdiff_t limit = default_limit_bytes;
  int family = AF_UNSPEC;
  int protocol = 0;
  int flags = 0;           // AI_… for the lookup
  Socket* sock = nullptr;  // A connected socket to use instead of host and port; moved from.
  std::optional<LocalAddress> local_addr = std::nullopt;
  std::optional<Duration> happy_eyeballs_delay = std::nullopt;
  std::optional<int> interleave = std::nullopt;
  bool all_errors = false;
};
static_assert(std::is_trivially_destructible_v<OpenOptions>);

/// Connects, and gives a reader and a writer.
///
/// Shape     Streams streams = co_await open_connection("127.0.0.1", 8888);
/// Errors    ValueError "Limit cannot be <= 0", before anything is connected. Else as
///           create_connection().
/// Threads   In a task.
/// Lifetime  Arguments are copied before this returns.
/// Source    CPython streams.py open_connection.
Coro<Streams> open_connection(std::string_view host, Port port, const OpenOptions& options = {});
/// The same over `options.sock`.
Coro<Streams> open_connection(const OpenOptions& options);

}  // namespace weir
