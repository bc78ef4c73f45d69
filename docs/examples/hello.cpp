// SPDX-License-Identifier: MIT
// The smallest server: ./hello, then in another terminal: nc 127.0.0.1 8888, and type a name.
#include <string>

#include <weir/streams/streams.hpp>

weir::Coro<> greet(weir::StreamReader reader, weir::StreamWriter writer) {
  std::string name = co_await reader.readline();
  writer.write("hello " + name);
  co_await writer.drain();
  writer.close();
}

weir::Coro<> serve() {
  weir::Server server = co_await weir::start_server(greet, "127.0.0.1", 8888);
  co_await server.serve_forever();
}

int main() { return weir::run(serve()); }
