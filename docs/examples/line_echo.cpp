// SPDX-License-Identifier: MIT
// Sends every line back. However many lines arrive together, their answers leave together: no line is copied, and
// nothing is sent until all lines that are there have been answered.
//
//     ./line_echo [PORT]        (0, the default, lets the kernel choose)
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <weir/streams/streams.hpp>

namespace {

weir::Coro<> echo(weir::StreamReader reader, weir::StreamWriter writer) {
  for (;;) {
    const std::string_view line = co_await reader.readline_view();
    if (line.empty()) break;  // The end of the stream.
    writer.write(line);
    co_await writer.drain();  // Waits only for a client that does not read its answers.
  }
  writer.close();
}

weir::Coro<> serve(int port) {
  const weir::Server server = co_await weir::start_server(echo, "127.0.0.1", port);
  const auto address = server.sockets().front().getsockname();
  std::printf("listening on %s:%d\n", address.host().c_str(), address.port());
  std::fflush(stdout);
  co_await server.serve_forever();
}

}  // namespace

int main(int argc, char** argv) { return weir::run(serve(argc > 1 ? std::atoi(argv[1]) : 0)); }
