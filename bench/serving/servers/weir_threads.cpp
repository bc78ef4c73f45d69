// SPDX-License-Identifier: MIT
//
// Echo at protocol level, on loops of several threads. When it is stopped it says how many
// connections each of them had.
//
//     weir_threads THREADS
#include <array>
#include <atomic>
#include <bench/serving/servers/echo_protocol.hpp>
#include <bench/serving/servers/weir_server.hpp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace {

constexpr std::size_t most_loops = 64;
std::array<std::atomic<int>, most_loops> connections;
std::atomic<std::size_t> loops = 0;

std::shared_ptr<weir::bench::Echo> make_echo() {
  static thread_local const std::size_t loop = loops++;
  ++connections.at(loop);
  return std::make_shared<weir::bench::Echo>();
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t threads = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
  if (threads == 0 || threads > most_loops) {
    std::fputs("usage: weir_threads THREADS\n", stderr);
    return 2;
  }
  const int exit_code =
      weir::serve_on_threads(threads, make_echo, "127.0.0.1", 0, weir::bench::server_options,
                             {.listening = weir::bench::tell_port, .grace = {}});
  std::printf("connections:");
  for (std::size_t i = 0; i < loops; ++i) std::printf(" %d", connections.at(i).load());
  std::printf("\n");
  return exit_code;
}
