// SPDX-License-Identifier: MIT
//
// A connection that always has something to read must not hold up timers. In virtual time: it
// passes with every recv(), and nothing else takes any.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net/protocol.hpp>
#include <weir/net/server.hpp>
#include <weir/reactor/event_loop.hpp>
#include <weir/reactor/sim/counting_kernel.hpp>
#include <weir/reactor/sim/fake_kernel.hpp>
#include <weir/reactor/task/run_until_complete.hpp>
#include <weir/streams/start_server.hpp>

namespace weir {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t port = 8888;
constexpr Duration time_of_a_recv = 70us;  // So that no deadline falls upon the end of one.
constexpr int timers = 50;
constexpr std::uint64_t passes_late = 2;

/// A machine on which receiving takes time, and one client never stops sending.
class FirehoseKernel final : public CountingKernel {
 public:
  explicit FirehoseKernel(FakeKernel& machine) : CountingKernel(machine), machine_(machine) {}

  /// What the client sends, again and again.
  void open(std::uint16_t to, std::string bytes) {
    bytes_ = std::move(bytes);
    client_ = machine_.dial(to);
    machine_.put(client_, bytes_);
  }
  IoResult recv(int fd, std::span<const iovec> buffers) override {
    const IoResult got = CountingKernel::recv(fd, buffers);
    machine_.advance(time_of_a_recv);
    after_recv();
    machine_.put(client_, bytes_);
    static_cast<void>(machine_.take(client_));  // It reads the answers, too.
    return got;
  }
  std::function<void()> after_recv;

 private:
  FakeKernel& machine_;
  int client_ = -1;
  std::string bytes_;
};

struct Firehose {
  FakeKernel machine;
  FirehoseKernel kernel{machine};
  EventLoop loop{kernel};
  std::optional<std::uint64_t> due_at_pass;
  TimePoint deadline;
  std::uint64_t latest = 0;
  int fired = 0;

  ~Firehose() { loop.close(); }

  /// Arms a timer of a millisecond; when it has fired, the next one.
  void arm() {
    due_at_pass.reset();
    deadline = loop.time() + 1ms;
    loop.call_at(deadline, [this] {
      REQUIRE(due_at_pass);
      latest = std::max(latest, loop.stats().passes - *due_at_pass);
      if (++fired == timers) return loop.stop();
      arm();
    });
  }
  /// Called whenever time has passed: notes the pass in which the timer came due.
  void look_at_the_clock() {
    if (!due_at_pass && loop.time() >= deadline) due_at_pass = loop.stats().passes;
  }
  /// `server` serves at the port. Returns how many passes late the latest timer was.
  std::uint64_t passes_late_beside(Coro<Server> server, std::string bytes) {
    loop.run_until_complete(std::move(server));
    kernel.after_recv = [this] { look_at_the_clock(); };
    kernel.open(port, std::move(bytes));
    arm();
    loop.run_forever();
    return latest;
  }
};

struct Echo final : Protocol {
  void connection_made(const std::shared_ptr<Transport>& its) override { transport = its.get(); }
  void data_received(std::string_view data) override { transport->write(data); }
  Transport* transport = nullptr;
};

Coro<> echo_lines(StreamReader reader, StreamWriter writer) {
  while (auto line = co_await reader.next_line()) {
    writer.write(*line);
    co_await writer.drain();
  }
}

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "a line of some thirty characters\n";
  return text;
}

}  // namespace

TEST_SUITE("streams/firehose") {
  TEST_CASE_FIXTURE(Firehose, "firehose: beside a protocol a timer fires two passes late at most") {
    auto server = create_server([] { return std::make_shared<Echo>(); }, "127.0.0.1", port);
    CHECK(passes_late_beside(std::move(server), std::string(64 * 1024, 'x')) <= passes_late);
    CHECK(fired == timers);
  }

  TEST_CASE_FIXTURE(Firehose, "firehose: beside lines a timer fires two passes late at most") {
    auto server = start_server(echo_lines, "127.0.0.1", port);
    CHECK(passes_late_beside(std::move(server), lines(1000)) <= passes_late);
    CHECK(fired == timers);
  }

  TEST_CASE_FIXTURE(Firehose,
                    "firehose: beside pieces of lines a timer is two passes late at most") {
    auto server = start_server(echo_lines, "127.0.0.1", port);
    CHECK(passes_late_beside(std::move(server), lines(1).substr(3)) <= passes_late);
    CHECK(fired == timers);
  }
}

}  // namespace weir
