// SPDX-License-Identifier: MIT
// Sends every line back. However many lines arrive together, their answers leave together: no line
// is copied into a string, and nothing is sent before all lines that are there have been answered.
//
//     ./line_echo [PORT] [--threads N] [--account]
//
// PORT 0, the default, lets the kernel choose. With --threads N loops serve, each on a thread of
// its own. With --account it says at the end how often it asked the operating system for something.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/streams/streams.hpp>

namespace {

weir::Coro<> echo(weir::StreamReader reader, weir::StreamWriter writer) {
  try {
    // [loop]
    for (;;) {
      const std::string_view line = co_await reader.readline_view();
      if (line.empty()) break;  // The end of the stream.
      writer.write(line);
      co_await writer.drain();  // Waits only for a client that does not read its answers.
    }
    // [/loop]
  } catch (const weir::ConnectionError&) {
    // The client went away in the middle: nobody is left to answer.
  }
  writer.close();
}

void say_where(const weir::Server& server) {
  const weir::Endpoint address = server.sockets().front().getsockname();
  std::printf("listening on %s:%d\n", address.host().c_str(), address.port());
  std::fflush(stdout);
}

weir::Coro<> serve(int port) {
  const weir::Server server =
      co_await weir::start_server(echo, "127.0.0.1", port, {.backlog = 1024});
  say_where(server);
  co_await server.serve_forever();
}

int serve_on(int threads, int port, weir::Kernel& kernel) {
  if (threads == 0) return weir::run(serve(port), kernel);
  const auto count = static_cast<std::size_t>(threads);
  return weir::serve_on_threads(count, echo, "127.0.0.1", port, {.backlog = 1024},
                                {.listening = say_where, .kernel = &kernel});
}

void print_account(const weir::CountingKernel& kernel) {
  std::printf("%llu epoll_wait, %llu recv, %llu send\n",
              static_cast<unsigned long long>(kernel.count(weir::Call::poller_wait)),
              static_cast<unsigned long long>(kernel.count(weir::Call::recv)),
              static_cast<unsigned long long>(kernel.count(weir::Call::send)));
}

}  // namespace

int main(int argc, char** argv) {
  int port = 0;
  int threads = 0;  // None but this one.
  bool account = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--account") == 0) {
      account = true;
    } else if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
      threads = std::atoi(argv[++i]);
    } else {
      port = std::atoi(argv[i]);
    }
  }
  if (!account) return serve_on(threads, port, weir::Kernel::posix());
  weir::CountingKernel counting(weir::Kernel::posix());
  const int exit_code = serve_on(threads, port, counting);
  print_account(counting);
  return exit_code;
}
