// SPDX-License-Identifier: MIT
#include <weir/streams/open_unix_connection.hpp>

#include <weir/streams/stream_reader_protocol.hpp>

namespace weir {

Coro<Streams> open_unix_connection(std::string_view path, const OpenUnixOptions& options) {
  detail::check_limit(options.limit);
  const UnixConnectOptions its{.sock = options.sock};
  return detail::streams_over(
      create_unix_connection(detail::protocol_with(options.limit), path, its));
}

Coro<Streams> open_unix_connection(const OpenUnixOptions& options) {
  detail::check_limit(options.limit);
  const UnixConnectOptions its{.sock = options.sock};
  return detail::streams_over(create_unix_connection(detail::protocol_with(options.limit), its));
}

}  // namespace weir
