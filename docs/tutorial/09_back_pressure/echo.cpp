// SPDX-License-Identifier: MIT
// Step 9: who does not read his answers is not listened to either.
//
//     ./echo [PORT [LIMIT]]
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

// [echo]
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
}
// [/echo]

}  // namespace

// [main]
int main(int argc, char** argv) {
  EventLoop loop;
  const std::size_t limit = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 64 * 1024;
  start_server(loop, echo, argc > 1 ? std::atoi(argv[1]) : 0, limit);
  loop.run_forever();
}
// [/main]
