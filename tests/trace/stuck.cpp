// SPDX-License-Identifier: MIT
//
// A server whose clients' handlers wait five coroutines deep. WEIR_DUMP=QUIT makes SIGQUIT tell
// where; test_trace.py looks for the lines that are marked here.
#include <cstdio>
#include <string>

#include <weir/reactor/task/runner.hpp>
#include <weir/streams/start_server.hpp>

namespace {

using weir::Coro;
using weir::StreamReader;
using weir::StreamWriter;

Coro<std::string> read_name(StreamReader reader) {
  std::string name = co_await reader.readuntil(":");  // frame 1
  co_return name;
}

struct Header {
  static Coro<std::string> read(StreamReader reader) {
    std::string name = co_await read_name(reader);  // frame 2
    co_return name;
  }
};

template <class T>
Coro<T> read_request(StreamReader reader) {
  T request = co_await Header::read(reader);  // frame 3
  co_return request;
}

Coro<int> session(StreamReader reader, StreamWriter writer) {
  int requests = 0;
  for (; requests < 10; ++requests) {
    const std::string request = co_await read_request<std::string>(reader);  // frame 4
    writer.write(".");
  }
  co_return requests;
}

Coro<> handle(StreamReader reader, StreamWriter writer) {
  static_cast<void>(co_await session(reader, writer));  // frame 5
  writer.close();
}

Coro<> serve() {
  const weir::Server server = co_await weir::start_server(handle, "127.0.0.1", 0);
  std::printf("listening on %d\n", server.sockets().front().getsockname().port());
  std::fflush(stdout);
  co_await server.serve_forever();
}

}  // namespace

int main() { return weir::run(serve()); }
