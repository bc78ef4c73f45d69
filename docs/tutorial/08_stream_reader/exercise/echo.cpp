// SPDX-License-Identifier: MIT
// Step 8, the exercise: records that end with "\r\n". After each, says how many bytes were looked
// at. See stream_reader.hpp.
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

Coro<> echo(std::shared_ptr<StreamReader> reader, std::shared_ptr<Transport> transport) {
  try {
    for (;;) {
      const std::string line = co_await reader->readuntil("\r\n");
      transport->write(line);
      transport->write("searched " + std::to_string(reader->searched()) + "\n");
    }
  } catch (const IncompleteReadError& error) {
    transport->write(error.partial);  // The last line, if it had no end.
  } catch (const LimitOverrunError&) {
    transport->write("the line is too long\n");
  }
  transport->close();
}

}  // namespace

int main(int argc, char** argv) {
  EventLoop loop;
  const std::size_t limit = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 64 * 1024;
  start_server(loop, echo, argc > 1 ? std::atoi(argv[1]) : 0, limit);
  loop.run_forever();
}
