// SPDX-License-Identifier: MIT
// What the chapter "Servers that stop well" shows.
#include <doctest/doctest.h>

#include <signal.h>

#include <chrono>
#include <string>
#include <utility>

#include <weir/reactor/task/recovery.hpp>
#include <weir/reactor/task/sleep.hpp>
#include <weir/reactor/task/task.hpp>
#include <weir/streams/streams.hpp>

#include "stage.hpp"

using namespace std::chrono_literals;

namespace {

using book::Stage;
constexpr int port = 4000;

weir::Coro<> answer(weir::StreamReader reader, weir::StreamWriter writer) {
  while (auto question = co_await reader.next_line()) {
    co_await weir::sleep(2s);  // Takes its time.
    writer.write("answer to " + *question);
    co_await writer.drain();
  }
}

// [at_once]
/// Cancelled by a signal, serve_forever() stops listening, closes the clients, and aborts after the
/// grace period those that are not gone.
weir::Coro<> serve_until_told() {
  const weir::Server server = co_await weir::start_server(answer, "127.0.0.1", port);
  const weir::Task<> serving = weir::create_task(server.serve_forever());
  for (const int number : {SIGINT, SIGTERM}) {
    weir::get_running_loop().add_signal_handler(number, [serving] { serving.cancel(); });
  }
  const weir::Outcome<> ended = co_await weir::outcome(serving);
  if (!ended.cancelled()) ended.value();  // Another end is an error.
}
// [/at_once]

// [drains]
/// Lets those who are here finish, for as long as a deploy can wait.
weir::Coro<> serve_and_drain(weir::Future<> told) {
  const weir::Server server = co_await weir::start_server(answer, "127.0.0.1", port);
  co_await told;
  server.close();  // New clients go elsewhere, at once.
  const weir::Outcome<> gone = co_await weir::outcome(weir::wait_for(server.wait_closed(), 10s));
  if (!gone.exception()) co_return;
  server.abort_clients();
  co_await server.wait_closed();
}
// [/drains]

}  // namespace

TEST_SUITE("book/stopping") {
  TEST_CASE_FIXTURE(Stage, "stopping: SIGTERM ends the server, and idle clients with it") {
    const auto main = loop.create_task(serve_until_told());
    run_for(1ms);
    const int client = kernel.dial(port);
    run_for(1s);
    CHECK(kernel.raise_signal(SIGTERM));
    run_for(1ms);
    CHECK(main.done());
    CHECK(kernel.at_eof(client));
    CHECK(kernel.dial(port) == -1);
  }

  TEST_CASE_FIXTURE(Stage, "stopping: a client that does not read holds it up for a second") {
    kernel.set_default_capacity(4);
    const auto main = loop.create_task(serve_until_told());
    run_for(1ms);
    const int client = kernel.dial(port);
    kernel.put(client, "why?\n");
    run_for(3s);  // "answ" has left, the rest waits for the client.
    CHECK(kernel.raise_signal(SIGTERM));
    run_for(900ms);
    CHECK_FALSE(main.done());
    run_for(200ms);
    CHECK(main.done());
    CHECK(kernel.take(client) == "answ");
  }

  TEST_CASE_FIXTURE(Stage, "stopping: who drains answers what was asked before") {
    const weir::Future<> told = loop.create_future<void>();
    const auto main = loop.create_task(serve_and_drain(told));
    run_for(1ms);
    const int client = kernel.dial(port);
    kernel.put(client, "why?\n");
    kernel.put_eof(client);
    run_for(1s);  // The answer takes two.
    told.set_result();
    run_for(1ms);
    CHECK(kernel.dial(port) == -1);
    CHECK_FALSE(main.done());
    run_for(2s);
    CHECK(main.done());
    CHECK(kernel.take(client) == "answer to why?\n");
  }

  TEST_CASE_FIXTURE(Stage, "stopping: who drains does not wait for ever") {
    const weir::Future<> told = loop.create_future<void>();
    const auto main = loop.create_task(serve_and_drain(told));
    run_for(1ms);
    const int client = kernel.dial(port);  // Says nothing, and stays.
    run_for(1ms);
    told.set_result();
    run_for(9s);
    CHECK_FALSE(main.done());
    run_for(2s);
    CHECK(main.done());
    CHECK(kernel.at_eof(client));
  }
}
