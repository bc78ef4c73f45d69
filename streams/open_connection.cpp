// SPDX-License-Identifier: MIT
#include <weir/streams/open_connection.hpp>

#include <memory>
#include <new>

#include <weir/streams/stream_reader_protocol.hpp>

namespace weir {
namespace {

ConnectOptions connect_options(const OpenOptions& options) {
  return {.family = options.family,
          .protocol = options.protocol,
          .flags = options.flags,
          .sock = options.sock,
          .local_addr = options.local_addr,
          .happy_eyeballs_delay = options.happy_eyeballs_delay,
          .interleave = options.interleave,
          .all_errors = options.all_errors};
}

}  // namespace

namespace detail {

std::function<std::shared_ptr<StreamReaderProtocol>()> protocol_with(std::ptrdiff_t limit) {
  return [limit] { return std::make_shared<StreamReaderProtocol>(StreamReader(limit)); };
}

Coro<Streams> streams_over(Coro<Connection<StreamReaderProtocol>> connecting) {
  const Connection<StreamReaderProtocol> made = co_await std::move(connecting);
  const StreamReader& reader = made.protocol->reader();
  try {
    co_return Streams(reader, StreamWriter(made.transport, made.protocol, reader));
  } catch (const std::bad_alloc&) {  // Nobody has a handle that could close it.
    made.transport->abort();
    throw;
  }
}

}  // namespace detail

Coro<Streams> open_connection(std::string_view host, Port port, const OpenOptions& options) {
  detail::check_limit(options.limit);
  return detail::streams_over(create_connection(detail::protocol_with(options.limit), host, port,
                                                connect_options(options)));
}

Coro<Streams> open_connection(const OpenOptions& options) {
  detail::check_limit(options.limit);
  return detail::streams_over(
      create_connection(detail::protocol_with(options.limit), connect_options(options)));
}

}  // namespace weir
