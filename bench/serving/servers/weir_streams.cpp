// SPDX-License-Identifier: MIT
//
// The stream servers: one coroutine a connection, written as the documentation has it.
//
//     weir_streams echo_owned | echo_view | lines_owned | lines_view
#include <bench/serving/servers/weir_server.hpp>
#include <cstdio>
#include <string>
#include <string_view>

namespace {

using weir::Coro;
using weir::StreamReader;
using weir::StreamWriter;

constexpr std::ptrdiff_t read_bytes = 256 * 1024;

/// Whatever there is, as a string of its own.
Coro<> echo_owned(StreamReader reader, StreamWriter writer) {
  for (;;) {
    const std::string data = co_await reader.read(read_bytes);
    if (data.empty()) break;
    writer.write(data);
    co_await writer.drain();
  }
  writer.close();
}

/// Not copied: written from where it was received.
Coro<> echo_view(StreamReader reader, StreamWriter writer) {
  for (;;) {
    const std::string_view data = co_await reader.read_view(read_bytes);
    if (data.empty()) break;
    writer.write(data);
    co_await writer.drain();
  }
  writer.close();
}

Coro<> lines_owned(StreamReader reader, StreamWriter writer) {
  for (;;) {
    const std::string line = co_await reader.readline();
    if (line.empty()) break;
    writer.write(line);
    co_await writer.drain();
  }
  writer.close();
}

/// Not copied: the line is written from where it was received.
Coro<> lines_view(StreamReader reader, StreamWriter writer) {
  for (;;) {
    const std::string_view line = co_await reader.readline_view();
    if (line.empty()) break;
    writer.write(line);
    co_await writer.drain();
  }
  writer.close();
}

Coro<> (*handler_of(std::string_view name))(StreamReader, StreamWriter) {
  if (name == "echo_owned") return echo_owned;
  if (name == "echo_view") return echo_view;
  if (name == "lines_owned") return lines_owned;
  if (name == "lines_view") return lines_view;
  return nullptr;
}

Coro<> serve(std::string_view name) {
  const weir::Server server =
      co_await weir::start_server(handler_of(name), "127.0.0.1", 0, weir::bench::streams_options);
  weir::bench::tell_port(server);
  co_await server.serve_forever();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || handler_of(argv[1]) == nullptr) {
    std::fputs("usage: weir_streams echo_owned | echo_view | lines_owned | lines_view\n", stderr);
    return 2;
  }
  return weir::run(serve(argv[1]));
}
