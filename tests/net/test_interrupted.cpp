// SPDX-License-Identifier: MIT
//
// EINTR at every call of a conversation: nobody must be able to tell.
#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net/connect.hpp>
#include <weir/net/server.hpp>
#include <weir/reactor/task/run_until_complete.hpp>

#include <tests/net/serving.hpp>

using namespace weir;
using weir::test::Recorder;
using weir::test::Serving;

namespace {

constexpr std::size_t long_bytes = 200'000;  // More than fits on the way.

/// What a client and a server, both ours, have heard in the end.
struct Ending {
  std::string client;
  std::string server;
  std::string errors;
  bool struck = false;  // There was such a call.

  bool operator==(const Ending&) const = default;
};

/// The client says hello and sends a long text; the server sends all of it back; the client closes.
/// The call that `call` is made for the `at`-th time is interrupted; with -1, none is.
Ending talk(Call call, int at) {
  Ending ending;
  Serving its;
  int made = 0;
  its.kernel.set_call_hook([&](Call now) {
    if (now != call || made++ != at) return;
    ending.struck = true;
    its.kernel.script(call, {.error = EINTR});
  });
  its.on_connect = [](Recorder& echo) {
    echo.on_data = [&echo, sent = std::size_t{0}]() mutable {
      echo.transport->write(std::string_view(echo.received).substr(sent));
      sent = echo.received.size();
    };
  };
  const Server server = its.serve();
  const auto client = std::make_shared<Recorder>();
  const std::string text = "hello" + std::string(long_bytes, 'x');
  client->on_data = [&] {
    if (client->received == "hello") client->transport->write(std::string_view(text).substr(5));
    if (client->received.size() == text.size()) client->transport->close();
  };
  const auto connection = its.loop.run_until_complete(
      create_connection([&] { return client; }, "127.0.0.1", Serving::port));
  connection.transport->write("hello");
  its.run();
  its.kernel.set_call_hook(nullptr);
  REQUIRE(its.protocols.size() == 1);
  CHECK(client->lost());
  CHECK(its.protocols[0]->lost());
  ending.client = client->received;
  ending.server = its.protocols[0]->received;
  ending.errors = message_of(client->error) + message_of(its.protocols[0]->error);
  client->calm_down();
  return ending;
}

}  // namespace

TEST_SUITE_BEGIN("net/interrupted");

// libevent 4f8a6144: EINTR that is not tried again.
TEST_CASE("B18: whichever call of a conversation a signal interrupts, nobody can tell") {
  const Ending expected = talk(Call::now, -1);
  REQUIRE(expected.client.size() == long_bytes + 5);
  REQUIRE(expected.server == expected.client);
  REQUIRE(expected.errors == "");
  for (const Call call : {Call::accept, Call::recv, Call::send, Call::close}) {
    CAPTURE(to_string(call));
    int at = 0;
    for (bool struck = true; struck; ++at) {
      CAPTURE(at);
      Ending ending = talk(call, at);
      struck = std::exchange(ending.struck, false);
      CHECK((ending == expected));
    }
    CHECK(at > 1);
  }
}

TEST_SUITE_END();
