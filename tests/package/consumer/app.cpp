// SPDX-License-Identifier: MIT
//
// What a program of a user may look like: a server, and a client that talks to it. The build
// systems around it are those of users, too: see ../README.md.
#include <cstdio>
#include <string>

#include <weir/streams/streams.hpp>

namespace {

weir::Coro<> greet(weir::StreamReader reader, weir::StreamWriter writer) {
  while (auto name = co_await reader.next_line()) {
    writer.write("hello " + *name);
    co_await writer.drain();
  }
  writer.close();
}

weir::Coro<> ask(std::uint16_t port) {
  weir::Streams connection = co_await weir::open_connection("127.0.0.1", port);
  connection.writer.write("world\n");
  const std::string answer = co_await connection.reader.readline();
  std::fputs(answer.c_str(), stdout);
  connection.writer.write_eof();
  const std::string rest = co_await connection.reader.read();
  std::printf("%zu more bytes\n", rest.size());
  connection.writer.close();
  co_await connection.writer.wait_closed();
}

/// What only a shared library may spoil: an exception of weir's, thrown there, caught here.
weir::Coro<> fail() {
  try {
    weir::Streams connection = co_await weir::open_connection("127.0.0.1", 0);
    std::puts("connected to port 0");
  } catch (const weir::OSError& error) {
    std::puts("OSError");
  }
}

weir::Coro<> app() {
  weir::Server server = co_await weir::start_server(greet, "127.0.0.1", 0);
  co_await ask(server.sockets().front().getsockname().port());
  co_await fail();
  server.close();
  co_await server.wait_closed();
}

}  // namespace

int main() { return weir::run(app()); }
