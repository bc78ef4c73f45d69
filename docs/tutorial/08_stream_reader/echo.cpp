// SPDX-License-Identifier: MIT
// Step 8: a line comes in pieces, and is read as a whole: readuntil().
//
//     ./echo [PORT [LIMIT]]
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>

#include "loop.hpp"
#include "stream_reader.hpp"
#include "streams.hpp"
#include "task.hpp"
#include "transport.hpp"

namespace {

// [echo]
Coro<> echo(std::shared_ptr<StreamReader> reader, std::shared_ptr<Transport> transport) {
  try {
    for (;;) {
      const std::string line = co_await reader->readuntil("\n");
      transport->write(line);
    }
  } catch (const IncompleteReadError& error) {
    transport->write(error.partial);  // The last line, if it had no end.
  } catch (const LimitOverrunError&) {
    transport->write("the line is too long\n");
  }
  transport->close();
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
