// SPDX-License-Identifier: MIT
#include <weir/streams/open_connection.hpp>

#include <memory>

#include <weir/streams/stream_reader_protocol.hpp>

namespace weir {
namespace {

ConnectOptions connect_options(const OpenOptions& options) {
  return {.family = options.family, .protocol = options.protocol, .flags = options.flags, .sock = options.sock};
}

Coro<Streams> streams_over(Coro<Connection<StreamReaderProtocol>> connecting, StreamReader reader) {
  const Connection<StreamReaderProtocol> made = co_await std::move(connecting);
  StreamWriter writer(made.transport, made.protocol, reader);
  co_return Streams(std::move(reader), std::move(writer));
}

auto protocol_for(const StreamReader& reader) {
  return [reader] { return std::make_shared<StreamReaderProtocol>(reader); };
}

}  // namespace

Coro<Streams> open_connection(std::string_view host, Port port, const OpenOptions& options) {
  const StreamReader reader(options.limit);
  return streams_over(create_connection(protocol_for(reader), host, port, connect_options(options)), reader);
}

Coro<Streams> open_connection(const OpenOptions& options) {
  const StreamReader reader(options.limit);
  return streams_over(create_connection(protocol_for(reader), connect_options(options)), reader);
}

}  // namespace weir
