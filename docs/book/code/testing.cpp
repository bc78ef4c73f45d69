// SPDX-License-Identifier: MIT
// What the chapter "Testing without a network" shows.
#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <weir/reactor/sim/sim_kernel.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/streams/streams.hpp>
#include <weir/streams/testing/chunk_sweep.hpp>

#include "stage.hpp"

using namespace std::chrono_literals;

namespace {

using book::Stage;
constexpr int port = 4000;

// [handler]
weir::Coro<> shout(weir::StreamReader reader, weir::StreamWriter writer) {
  while (auto line = co_await reader.next_line()) {
    for (char& c : *line) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    writer.write(*line);
    co_await writer.drain();
  }
}
// [/handler]

// [parsers]
/// Right: asks for what it wants, however it comes.
weir::Coro<std::vector<std::string>> words(weir::StreamReader reader) {
  std::vector<std::string> all;
  while (auto line = co_await reader.next_line()) all.push_back(*line);
  co_return all;
}
/// Wrong: takes what read() gives for a line.
weir::Coro<std::vector<std::string>> pieces(weir::StreamReader reader) {
  std::vector<std::string> all;
  for (;;) {
    const std::string piece = co_await reader.read(1000);
    if (piece.empty()) break;
    all.push_back(piece);
  }
  co_return all;
}
// [/parsers]

}  // namespace

TEST_SUITE("book/testing") {
  TEST_CASE("testing: a server answers, on a kernel in memory") {
    // [fake]
    weir::FakeKernel kernel;
    weir::EventLoop loop(kernel);
    const weir::Server server =
        loop.run_until_complete(weir::start_server(shout, "127.0.0.1", port));

    const int client = kernel.dial(port);  // The other end is the test's.
    kernel.put(client, "hello\n");
    kernel.put_eof(client);
    loop.call_later(1s, [&loop] { loop.stop(); });
    loop.run_forever();  // Takes no time: the clock is the kernel's.

    CHECK(kernel.take(client) == "HELLO\n");
    CHECK(kernel.at_eof(client));
    CHECK(kernel.misuses().empty());  // Closed twice, used after closing, …
    // [/fake]
    loop.close();
  }

  TEST_CASE_FIXTURE(Stage, "testing: any call can be told to fail") {
    loop.run_until_complete(weir::start_server(shout, "127.0.0.1", port));
    // [script]
    kernel.script(weir::Call::accept, {.error = EMFILE});  // The next accept() fails.
    const int client = kernel.dial(port);
    kernel.put(client, "hello\n");
    run_for(900ms);
    CHECK(kernel.take(client).empty());
    CHECK(reports == std::vector<std::string>{"socket.accept() out of system resource"});
    run_for(200ms);  // After a second it tries again.
    CHECK(kernel.take(client) == "HELLO\n");
    // [/script]
  }

  TEST_CASE_FIXTURE(Stage, "testing: bytes may come and leave one by one") {
    loop.run_until_complete(weir::start_server(shout, "127.0.0.1", port));
    // [narrow]
    kernel.set_max_recv(1);
    kernel.set_max_send(1);
    // [/narrow]
    const int client = kernel.dial(port);
    kernel.put(client, "hello\nyou\n");
    run_for(1s);
    CHECK(kernel.take(client) == "HELLO\nYOU\n");
  }

  TEST_CASE("testing: a sweep over all cuts finds who takes a piece for a line") {
    // [cuts]
    CHECK(weir::testing::chunk_sweep("one\ntwo\n", words).empty());
    const std::string wrong = weir::testing::chunk_sweep("one\ntwo\n", pieces);
    CHECK(wrong.find("in one piece") != std::string::npos);
    // [/cuts]
    CAPTURE(wrong);
    CHECK(wrong.find("cut 1") != std::string::npos);
  }

  TEST_CASE("testing: one seed decides everything that the simulated machine does") {
    // [seed]
    const auto evening = [](std::uint64_t seed) {
      weir::SimRandom random(seed);
      weir::SimKernel kernel(seed, weir::SimOptions::swarm(random));
      weir::EventLoop loop(kernel);
      loop.set_exception_handler([](weir::EventLoop&, const weir::ExceptionContext&) {});
      const auto talk = [](int its_port) -> weir::Coro<> {
        weir::Server server = co_await weir::start_server(shout, "127.0.0.1", its_port);
        weir::Streams streams = co_await weir::open_connection("127.0.0.1", its_port);
        streams.writer.write("hello\n");
        co_await streams.reader.readline();
        streams.writer.close();
        server.close();
      };
      const auto task = loop.create_task(weir::outcome(talk(port)));
      loop.call_later(1h, [&loop] { loop.stop(); });
      loop.run_forever();
      loop.close();
      return kernel.trace().hash();
    };
    CHECK(evening(1) == evening(1));
    CHECK(evening(1) != evening(2));
    // [/seed]
  }
}
