// SPDX-License-Identifier: MIT
// Step 9, the exercise: SIGTERM is a request. What was asked before is answered, then it ends.
// Wrong on purpose: ends at once, whoever waits for an answer.
//
//     ./echo [PORT [LIMIT]]
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>

#include "loop.hpp"
#include "stream_reader.hpp"
#include "stream_writer.hpp"
#include "streams.hpp"
#include "task.hpp"

namespace {

Coro<> echo(std::shared_ptr<StreamReader> reader, std::shared_ptr<StreamWriter> writer) {
  try {
    for (;;) {
      const std::string line = co_await reader->readuntil("\n");
      writer->write(line);
      co_await writer->drain();
    }
  } catch (const IncompleteReadError& error) {
    writer->write(error.partial);  // The last line, if it had no end.
  } catch (const LimitOverrunError&) {
    writer->write("the line is too long\n");
  } catch (const ConnectionResetError&) {
    // Nobody is left to answer.
  }
  writer->close();
  co_await writer->wait_closed();
}

/// A descriptor that becomes readable when SIGTERM comes, which then does nothing else.
int watch_sigterm() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  check(sigprocmask(SIG_BLOCK, &signals, nullptr), "sigprocmask");
  return check(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
}

}  // namespace

int main(int argc, char** argv) {
  EventLoop loop;
  const std::size_t limit = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 64 * 1024;
  const int sigterm = watch_sigterm();
  start_server(loop, echo, argc > 1 ? std::atoi(argv[1]) : 0, limit);
  loop.add_reader(sigterm, [&loop] { loop.stop(); });
  loop.run_forever();
  close(sigterm);
}
