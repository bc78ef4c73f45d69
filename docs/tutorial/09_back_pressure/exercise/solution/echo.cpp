// SPDX-License-Identifier: MIT
// Step 9, the exercise: SIGTERM is a request. What was asked before is answered, then it ends.
//
//     ./echo [PORT [LIMIT]]
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <set>
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

/// The server, and the clients that are there.
struct Service {
  explicit Service(EventLoop& its_loop) : loop(its_loop) {}
  EventLoop& loop;
  int listener = -1;
  bool stopping = false;
  std::set<std::shared_ptr<StreamReader>> readers;

  /// SIGTERM has come. Nobody new; and those who wait for more hear that there is no more.
  void stop() {
    if (stopping) return;
    stopping = true;
    loop.remove_reader(listener);
    close(listener);
    for (const auto& reader : readers) reader->feed_eof();
    stop_if_done();
  }
  void stop_if_done() {
    if (stopping && readers.empty()) loop.stop();
  }
};

Coro<> client(std::shared_ptr<StreamReader> reader, std::shared_ptr<StreamWriter> writer,
              std::shared_ptr<Service> service) {
  service->readers.insert(reader);
  if (service->stopping) reader->feed_eof();  // It was accepted in the last moment.
  co_await echo(reader, writer);
  service->readers.erase(reader);
  service->stop_if_done();
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
  const auto service = std::make_shared<Service>(loop);
  const auto handler = [service](auto reader, auto writer) {
    return client(reader, writer, service);
  };
  service->listener = start_server(loop, handler, argc > 1 ? std::atoi(argv[1]) : 0, limit);
  loop.add_reader(sigterm, [service] { service->stop(); });
  loop.run_forever();
  close(sigterm);
}
